//! Where this kernel has the fields of a struct: read from its BTF, and used in three ways, one of
//! which is wrong.

use std::os::unix::process::parent_id;

use anyhow::{Context as _, Result, bail};
use common::btf::Kernel;
use common::{Implementation, machine, prototype, say};

use crate::event::{BAKED_REAL_PARENT, BAKED_TGID, ParentReadings};
use crate::settings::Offsets;
use crate::{aya, libbpf};

/// `--offsets`
pub fn show_offsets(implementation: Implementation, kernel: &Kernel) -> Result<()> {
    // Linux 5.14 renamed this field, and made it shorter.
    let has_new_name = kernel.offset("task_struct", "__state").is_ok();
    let state = if has_new_name { "__state" } else { "state" };
    say("\nfields of struct task_struct, according to this kernel's BTF:")?;
    let offsets = Offsets {
        real_parent: show_field(kernel, "real_parent")?,
        tgid: show_field(kernel, "tgid")?,
        state: show_field(kernel, state)?,
    };
    let baked = format!("real_parent {BAKED_REAL_PARENT}, tgid {BAKED_TGID}");
    say(&format!(
        "baked into the programs, from Linux 6.12 on x86-64: {baked}"
    ))?;
    let readings = match implementation {
        Implementation::Aya => aya::read_parent(&offsets)?,
        Implementation::Libbpf => libbpf::read_parent(&offsets)?,
    };
    show_readings(&readings, state)
}

fn show_field(kernel: &Kernel, name: &str) -> Result<u32> {
    let offset = kernel.offset("task_struct", name)?;
    let declaration = prototype::declare_field(kernel, "task_struct", name);
    let declaration = declaration.with_context(|| format!("cannot find the type of {name}"))?;
    say(&format!("  {offset:>6}  {declaration}"))?;
    Ok(offset)
}

fn show_readings(readings: &ParentReadings, state: &str) -> Result<()> {
    say("\nwhich process started this one? task->real_parent->tgid, read")?;
    let found = "with offsets from this kernel's BTF, as globals (Rust or C)";
    show_reading(found, readings.found)?;
    let relocated = "with offsets that the loader corrected (C only: CO-RE)";
    show_reading(relocated, readings.relocated)?;
    show_reading(
        "with offsets baked in for Linux 6.12 on x86-64",
        readings.baked,
    )?;
    say(&format!("getppid() says parent={}", parent_id()))?;
    let states = [readings.state_found, readings.state_relocated];
    if states != [0; 2] {
        bail!("cannot read the state of a running task: {states:?}");
    }
    say(&format!(
        "\na field that Linux 5.14 renamed is called {state} here; both ways read 0: the task runs"
    ))?;
    say(&format!(
        "these are the numbers of Linux {}",
        machine::kernel_release()
    ))
}

fn show_reading(how: &str, value: i64) -> Result<()> {
    let is_right = value == i64::from(parent_id());
    let verdict = if is_right { "right" } else { "wrong" };
    let value = match value {
        ..0 => "unreadable".to_owned(),
        value => format!("parent={value}"),
    };
    say(&format!("  {how:<60} {value:<20} {verdict}"))
}
