//! The chapter's first program, whole: the libraries find the function by its name.

use std::env;
use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use aya::Ebpf;
use aya::programs::UProbe;
use aya::programs::uprobe::UProbeScope;
use common::trace_pipe::TracePipe;
use common::{Implementation, Stop, say};
use libbpf_rs::UprobeOpts;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};

common::include_skeleton!("first");
use skeleton::FirstSkelBuilder;

pub fn watch_getenv(implementation: Implementation) -> Result<()> {
    match implementation {
        Implementation::Aya => run_with_aya(),
        Implementation::Libbpf => run_with_libbpf(),
    }
}

// ANCHOR: aya
fn run_with_aya() -> Result<()> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/uprobe-first"));
    let mut ebpf = Ebpf::load(object)?;
    let program = ebpf.program_mut("on_getenv");
    let program: &mut UProbe = program.context("cannot find on_getenv")?.try_into()?;
    program.load()?;
    program.attach("getenv", "libc", UProbeScope::CallingProcess)?;
    call_getenv()
}
// ANCHOR_END: aya

// ANCHOR: libbpf
fn run_with_libbpf() -> Result<()> {
    let mut storage = MaybeUninit::uninit();
    let open = FirstSkelBuilder::default().open(&mut storage)?;
    let skeleton = open.load()?;
    let options = UprobeOpts {
        func_name: Some("getenv".to_owned()),
        ..Default::default()
    };
    let this_process = 0;
    let program = &skeleton.progs.on_getenv;
    let _link = program.attach_uprobe_with_opts(this_process, "libc.so.6", 0, options)?;
    call_getenv()
}
// ANCHOR_END: libbpf

// ANCHOR: show
fn call_getenv() -> Result<()> {
    // Ctrl-C must not end the process before it has cleaned up; this is soon over.
    let _stop = Stop::catch()?;
    let mut trace_pipe = TracePipe::open()?;
    // Rust's standard library calls getenv of the C library for this.
    let _ = env::var_os("UPROBE_LESSON");
    for line in trace_pipe.read_lines()? {
        say(&line)?;
    }
    Ok(())
}
// ANCHOR_END: show
