//! Loads, attaches and reads with libbpf-rs the program that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use common::ring_buffer::LibbpfRingBuffer;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, OpenObject};

common::include_skeleton!("hello");
use skeleton::{HelloSkel, HelloSkelBuilder};

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn load(storage: &mut MaybeUninit<OpenObject>) -> Result<HelloSkel<'_>> {
    let open = HelloSkelBuilder::default()
        .open(storage)
        .context("cannot open the program")?;
    open.load().context("cannot load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
/// Attaches the kprobe and the kretprobe. Dropping the links detaches both.
pub fn attach(skeleton: &HelloSkel<'_>, function: &str) -> Result<[Link; 2]> {
    let enter = skeleton.progs.hello_enter.attach_kprobe(false, function);
    let enter = enter.with_context(|| format!("cannot attach hello_enter to {function}"))?;
    let exit = skeleton.progs.hello_exit.attach_kprobe(true, function);
    let exit = exit.with_context(|| format!("cannot attach hello_exit to {function}"))?;
    Ok([enter, exit])
}
// ANCHOR_END: attach

// ANCHOR: read
pub fn read_events(skeleton: &HelloSkel<'_>) -> Result<LibbpfRingBuffer> {
    LibbpfRingBuffer::open(&skeleton.maps.events)
}
// ANCHOR_END: read

#[cfg(test)]
mod tests {
    use libbpf_rs::ObjectBuilder;

    fn opens(object: &[u8]) -> bool {
        ObjectBuilder::default().open_memory(object).is_ok()
    }

    /// The book says so where the map is declared. aya-log declares its map in the old form.
    #[test]
    fn libbpf_opens_what_has_no_map_in_the_old_form() {
        let lesson = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-kprobe-ebpf"));
        assert!(opens(lesson));
        let no_maps = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-first-ebpf"));
        assert!(opens(no_maps));
        let with_log = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/hello-log-ebpf"));
        assert!(!opens(with_log));
    }
}
