//! The chapter's first program, whole: a tracepoint without the record that comes with it.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::TracePoint;
use common::machine::{self, Need};
use common::trace_pipe::TracePipe;
use common::{Implementation, Stop, say};
use libbpf_rs::TracepointCategory;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};

use crate::workload;

common::include_skeleton!("first");
use skeleton::FirstSkelBuilder;

pub fn run_first(implementation: Implementation) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root, Need::Tracefs])?;
    match implementation {
        Implementation::Aya => run_with_aya(),
        Implementation::Libbpf => run_with_libbpf(),
    }
}

// ANCHOR: aya
fn run_with_aya() -> Result<()> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/tracepoint-first-ebpf"));
    let mut ebpf = Ebpf::load(object)?;
    let program = ebpf.program_mut("on_exec").context("cannot find on_exec")?;
    let program: &mut TracePoint = program.try_into()?;
    program.load()?;
    program.attach("sched", "sched_process_exec")?;
    show_executions()
}
// ANCHOR_END: aya

// ANCHOR: libbpf
fn run_with_libbpf() -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let open = FirstSkelBuilder::default().open(&mut storage)?;
    let skeleton = open.load()?;
    let program = &skeleton.progs.on_exec;
    let _link = program.attach_tracepoint(TracepointCategory::Sched, "sched_process_exec")?;
    show_executions()
}
// ANCHOR_END: libbpf

// ANCHOR: show
fn show_executions() -> Result<()> {
    // Ctrl-C must not end the process before it has cleaned up; this is soon over.
    let _stop = Stop::catch()?;
    let mut trace_pipe = TracePipe::open()?;
    workload::execute_loader()?;
    workload::execute_missing_program()?;
    for line in trace_pipe.read_lines()? {
        say(&line)?;
    }
    Ok(())
}
// ANCHOR_END: show
