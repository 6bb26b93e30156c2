//! What a uprobe costs: the same call without one, and with one on instructions of several kinds.

use std::env;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::process;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use common::{Implementation, elf, say};
use nix::unistd::getppid;

use crate::event::{NO_TEXT, PointArgument};
use crate::options::Watch;
use crate::{aya, libbpf};

#[cfg(target_arch = "aarch64")]
#[path = "aarch64.rs"]
mod functions;
#[cfg(target_arch = "x86_64")]
#[path = "x86_64.rs"]
mod functions;

use functions::{CASES, with_mov};

/// Many short bursts: what disturbs the machine hits a few, and the median leaves those out.
const BURSTS: usize = 9;
const CALLS: u32 = 20;

type Call = extern "C" fn();

/// `--cost`. The programs do nothing: this is the way into them and back.
pub fn measure_cost(implementation: Implementation) -> Result<()> {
    let unit = measure_call(|| {
        black_box(getppid());
    });
    say("cost of one call, in system calls (getppid) on this kernel")?;
    say(&format!("medians of {BURSTS} bursts of {CALLS} calls\n"))?;
    let bare = measure_call(|| black_box(with_mov as Call)());
    show_row("not watched", bare, unit)?;
    for (row, call, symbol, is_return) in CASES {
        let file = env::current_exe().context("cannot find this program")?;
        let offset = elf::find_file_function(&file, symbol)?.offset;
        let watch = Watch::new(&file, symbol, Some(process::id()), &[]);
        let cost = match implementation {
            Implementation::Aya => measure_with_aya(call, is_return, &watch, offset)?,
            Implementation::Libbpf => measure_with_libbpf(call, is_return, &watch, offset)?,
        };
        show_row(row, cost, unit)?;
    }
    Ok(())
}

fn measure_with_aya(call: Call, is_return: bool, watch: &Watch, offset: u64) -> Result<Duration> {
    let mut ebpf = aya::load(NO_TEXT, &[PointArgument::NONE; 3])?;
    let program = if is_return {
        "on_nothing_return"
    } else {
        "on_nothing"
    };
    let _link = aya::attach(&mut ebpf, program, watch, offset)?;
    Ok(measure_call(|| black_box(call)()))
}

fn measure_with_libbpf(
    call: Call,
    is_return: bool,
    watch: &Watch,
    offset: u64,
) -> Result<Duration> {
    let mut storage = MaybeUninit::uninit();
    let skeleton = libbpf::load(&mut storage, NO_TEXT, false)?;
    let programs = &skeleton.progs;
    let program = if is_return {
        &programs.on_nothing_return
    } else {
        &programs.on_nothing
    };
    let _link = libbpf::attach(program, watch, offset)?;
    Ok(measure_call(|| black_box(call)()))
}

fn measure_call(call: impl Fn()) -> Duration {
    let mut bursts = [Duration::ZERO; BURSTS];
    for burst in &mut bursts {
        let begin = Instant::now();
        for _ in 0..CALLS {
            call();
        }
        *burst = begin.elapsed();
    }
    bursts.sort();
    bursts[BURSTS / 2]
}

fn show_row(row: &str, cost: Duration, unit: Duration) -> Result<()> {
    let relative = cost.div_duration_f64(unit);
    say(&format!("{row:<42} {relative:>8.2}"))
}
