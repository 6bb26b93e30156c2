//! The chapter's first program, whole: load, attach, and show the text that it writes.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::KProbe;
use common::trace_pipe::TracePipe;
use common::{Implementation, Stop, say};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};

use crate::workload;

common::include_skeleton!("first");
use skeleton::FirstSkelBuilder;

pub fn run_first(implementation: Implementation) -> Result<()> {
    match implementation {
        Implementation::Aya => run_with_aya(),
        Implementation::Libbpf => run_with_libbpf(),
    }
}

// ANCHOR: aya
fn run_with_aya() -> Result<()> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-first-ebpf"));
    let mut ebpf = Ebpf::load(object)?;
    let program = ebpf.program_mut("on_unlink");
    let program: &mut KProbe = program.context("cannot find on_unlink")?.try_into()?;
    program.load()?;
    program.attach("vfs_unlink", 0)?;
    show_removals()
}
// ANCHOR_END: aya

// ANCHOR: libbpf
fn run_with_libbpf() -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let open = FirstSkelBuilder::default().open(&mut storage)?;
    let skeleton = open.load()?;
    let program = &skeleton.progs.on_unlink;
    let _link = program.attach_kprobe(false, "vfs_unlink")?;
    show_removals()
}
// ANCHOR_END: libbpf

// ANCHOR: show
fn show_removals() -> Result<()> {
    // Ctrl-C must not end the process before it has cleaned up; this is soon over.
    let _stop = Stop::catch()?;
    let mut trace_pipe = TracePipe::open()?;
    workload::remove_two_files()?;
    for line in trace_pipe.read_lines()? {
        say(&line)?;
    }
    Ok(())
}
// ANCHOR_END: show
