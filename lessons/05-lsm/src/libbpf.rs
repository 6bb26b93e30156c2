//! Loads, attaches and reads with libbpf-rs the programs that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use common::record;
use common::ring_buffer::LibbpfRingBuffer;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, MapCore as _, MapFlags, OpenObject};

use crate::event::COUNT_SLOTS;
use crate::policy::Policy;

common::include_skeleton!("lsm");
use skeleton::{LsmSkel, LsmSkelBuilder};

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn load<'a>(storage: &'a mut MaybeUninit<OpenObject>, policy: &Policy) -> Result<LsmSkel<'a>> {
    let open = LsmSkelBuilder::default().open(storage);
    let mut open = open.context("cannot open the programs")?;
    let globals = open.maps.rodata_data.as_deref_mut();
    let globals = globals.context("cannot find the globals")?;
    globals.policy_pid = policy.pid;
    globals.audit = policy.audit.into();
    globals.dir_device = policy.device;
    globals.dir_inode = policy.inode;
    open.maps.covered.set_max_entries(policy.max_tasks)?;
    // The offsets on this kernel: libbpf finds them in its BTF, and corrects the programs.
    open.load().context("cannot load the programs")
}
// ANCHOR_END: load

// ANCHOR: attach
/// The witness first: on one hook the kernel asks the program first that was attached last, so the
/// witness comes after the guard. Dropping the links detaches all programs.
pub fn attach(skeleton: &LsmSkel<'_>) -> Result<Vec<Link>> {
    let programs = [
        &skeleton.progs.witness_open,
        &skeleton.progs.guard_open,
        &skeleton.progs.guard_rename,
        &skeleton.progs.guard_link,
        &skeleton.progs.forget,
        &skeleton.progs.cover_child,
    ];
    let mut links = Vec::new();
    for program in programs {
        let link = program.attach_lsm();
        links.push(link.with_context(|| format!("cannot attach {:?}", program.name()))?);
    }
    Ok(links)
}
// ANCHOR_END: attach

pub fn read_events(skeleton: &LsmSkel<'_>) -> Result<LibbpfRingBuffer> {
    LibbpfRingBuffer::open(&skeleton.maps.events)
}

pub fn read_counts(skeleton: &LsmSkel<'_>) -> Result<[u64; COUNT_SLOTS]> {
    let map = &skeleton.maps.counts;
    let mut counts = [0; COUNT_SLOTS];
    for (slot, count) in (0u32..).zip(&mut counts) {
        let bytes = map.lookup(&slot.to_ne_bytes(), MapFlags::ANY);
        let bytes = bytes.context("cannot read the map counts")?;
        *count = record::from_bytes(&bytes.context("the map counts is too small")?)?;
    }
    Ok(counts)
}
