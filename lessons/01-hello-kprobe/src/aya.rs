//! Loads, attaches and reads with aya the program that rustc and bpf-linker built.

use anyhow::{Context as _, Result};
use aya::programs::KProbe;
use aya::{Ebpf, EbpfLoader};
use common::ring_buffer::AyaRingBuffer;

// ANCHOR: load
pub fn load() -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-kprobe-ebpf"));
    // `Ebpf::load` does the same, but in aya 0.14 it parses the kernel's BTF twice.
    EbpfLoader::new()
        .load(object)
        .context("cannot load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
/// Attaches the kprobe and the kretprobe. The links stay in `ebpf`: dropping it detaches both.
pub fn attach(ebpf: &mut Ebpf, function: &str) -> Result<()> {
    for name in ["hello_enter", "hello_exit"] {
        let program = ebpf
            .program_mut(name)
            .with_context(|| format!("cannot find {name}"))?;
        let program: &mut KProbe = program.try_into()?;
        program
            .load()
            .with_context(|| format!("cannot load {name}"))?;
        // The program's section says whether it is a kprobe or a kretprobe.
        let attached = program.attach(function, 0);
        attached.with_context(|| format!("cannot attach {name} to {function}"))?;
    }
    Ok(())
}
// ANCHOR_END: attach

// ANCHOR: read
pub fn read_events(ebpf: &mut Ebpf) -> Result<AyaRingBuffer> {
    AyaRingBuffer::open(ebpf, "EVENTS")
}
// ANCHOR_END: read
