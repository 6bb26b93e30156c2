//! Where a field lies: read from the kernel's BTF, and used in three ways, one of which is wrong.

mod aya;
mod libbpf;
mod seen;

use std::fs::File;
use std::mem::MaybeUninit;
use std::process;

use anyhow::{Context as _, Result, ensure};
use common::btf::Kernel;
use common::{Implementation, NotReady, machine, say};
use rustix::process::getppid;

use crate::{function, tracer};
use seen::{BAKED_REAL_PARENT, BAKED_TGID, Seen};

/// What the programs are told before they are loaded.
pub struct Offsets {
    pub pid: u32,
    pub real_parent: u32,
    pub tgid: u32,
    pub state: u32,
}

// SAFETY: integers of one size, so without padding: any bytes are a value.
unsafe impl ::aya::Pod for Seen {}

pub fn show(implementation: Implementation, kernel: &Kernel, prototype: &str) -> Result<()> {
    say(&format!("function   {prototype}"))?;
    say(
        "           the arguments and the result are plain values: no program needs an offset for them;",
    )?;
    say("           struct open_how belongs to the interface with programs, and never changes")?;
    let state = name_of_state(kernel);
    let offsets = Offsets {
        pid: process::id(),
        real_parent: kernel.offset("task_struct", "real_parent")?,
        tgid: kernel.offset("task_struct", "tgid")?,
        state: kernel.offset("task_struct", state)?,
    };
    show_fields(kernel, &offsets, state)?;
    let seen = match implementation {
        Implementation::Aya => tracer::allowed(aya::read(&offsets))?,
        Implementation::Libbpf => {
            tracer::allowed(libbpf::read(&mut MaybeUninit::uninit(), &offsets))?
        }
    };
    show_ladder(&seen, state)
}

/// It was renamed in Linux 5.14, and made shorter.
fn name_of_state(kernel: &Kernel) -> &'static str {
    if kernel.offset("task_struct", "__state").is_ok() {
        "__state"
    } else {
        "state"
    }
}

fn show_fields(kernel: &Kernel, offsets: &Offsets, state: &str) -> Result<()> {
    say("\nfields of struct task_struct, by this kernel's BTF:")?;
    for (name, offset) in [
        ("real_parent", offsets.real_parent),
        ("tgid", offsets.tgid),
        (state, offsets.state),
    ] {
        let declaration = function::field(kernel, "task_struct", name).ok_or_else(|| {
            NotReady::new(format!(
                "find the type of task_struct.{name} in the kernel's BTF"
            ))
        })?;
        say(&format!("  {offset:>6}  {declaration}"))?;
    }
    say(&format!(
        "baked into the programs, from Linux 6.12: real_parent {BAKED_REAL_PARENT}, tgid {BAKED_TGID}"
    ))
}

fn show_ladder(seen: &Seen, state: &str) -> Result<()> {
    let parent = getppid().map_or(0, |parent| i64::from(parent.as_raw_nonzero().get()));
    say("\nwho started this process? task->real_parent->tgid, read")?;
    for (how, value) in [
        (
            "with offsets from this kernel's BTF, as globals (Rust or C)",
            seen.found,
        ),
        (
            "with offsets that the loader corrected (C only: CO-RE)",
            seen.relocated,
        ),
        ("with offsets baked in for Linux 6.12", seen.baked),
    ] {
        let verdict = if value == parent { "right" } else { "wrong" };
        say(&format!("  {how:<60} {:<20} {verdict}", number(value)))?;
    }
    say(&format!("getppid() says parent={parent}"))?;
    let [found, relocated] = [seen.state_found, seen.state_relocated];
    ensure!(
        [seen.found, seen.relocated] == [parent; 2],
        "read the parent: BTF's offsets gave a wrong answer"
    );
    ensure!(
        [found, relocated] == [0; 2],
        "read the state of a task that runs: {found} and {relocated}"
    );
    say(&format!(
        "\na field that was renamed in Linux 5.14: here it is called {state}; both ways read 0, it runs"
    ))?;
    say(&format!(
        "this is Linux {}: the numbers above are its own",
        machine::release()
    ))
}

fn number(value: i64) -> String {
    if value < 0 {
        "unreadable".to_owned()
    } else {
        format!("parent={value}")
    }
}

/// One call of the function, so that the programs run once.
fn trigger() -> Result<()> {
    File::open("/proc/version")
        .context("open /proc/version")
        .map(drop)
}
