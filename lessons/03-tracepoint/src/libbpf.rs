//! Loads, attaches and reads with libbpf-rs the programs that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use common::record;
use common::ring_buffer::LibbpfRingBuffer;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, MapCore as _, MapFlags, OpenObject, TracepointCategory};

use crate::way::{EVENT, Way, find_payload};

common::include_skeleton!("exec");
use skeleton::{ExecSkel, ExecSkelBuilder};

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn load<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    ways: &[Way],
    buffer: u32,
) -> Result<ExecSkel<'a>> {
    let [filename, pid, old_pid] = find_payload(ways)?;
    let builder = ExecSkelBuilder::default();
    let mut open = builder.open(storage).context("cannot open the programs")?;
    let globals = open.maps.rodata_data.as_deref_mut();
    let globals = globals.context("cannot find the global variables")?;
    globals.payload_filename = filename;
    globals.payload_pid = pid;
    globals.payload_old_pid = old_pid;
    open.maps.events.set_max_entries(buffer)?;
    let is_used = |way| ways.contains(&way);
    let programs = &mut open.progs;
    programs
        .exec_tracepoint
        .set_autoload(is_used(Way::Tracepoint));
    programs.exec_raw.set_autoload(is_used(Way::Raw));
    programs.exec_btf.set_autoload(is_used(Way::Btf));
    open.load().context("cannot load the programs")
}
// ANCHOR_END: load

// ANCHOR: attach
/// Dropping the links detaches the programs.
pub fn attach(skeleton: &ExecSkel<'_>, ways: &[Way]) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for way in ways {
        let link = attach_one(skeleton, *way);
        links.push(link.with_context(|| format!("cannot attach to {EVENT} as {way:?}"))?);
    }
    Ok(links)
}

fn attach_one(skeleton: &ExecSkel<'_>, way: Way) -> libbpf_rs::Result<Link> {
    let programs = &skeleton.progs;
    match way {
        Way::Tracepoint => {
            let category = TracepointCategory::Sched;
            programs.exec_tracepoint.attach_tracepoint(category, EVENT)
        }
        Way::Raw => programs.exec_raw.attach_raw_tracepoint(EVENT),
        // The program's section names the event: the verifier had to know it already.
        Way::Btf => programs.exec_btf.attach_trace(),
    }
}
// ANCHOR_END: attach

pub fn read_events(skeleton: &ExecSkel<'_>) -> Result<LibbpfRingBuffer> {
    LibbpfRingBuffer::open(&skeleton.maps.events)
}

// ANCHOR: lost
pub fn read_lost(skeleton: &ExecSkel<'_>) -> Result<u64> {
    let map = &skeleton.maps.lost;
    let each_cpu = map.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY)?;
    let mut sum = 0;
    for bytes in each_cpu.context("cannot read the map lost")? {
        sum += record::from_bytes::<u64>(&bytes)?;
    }
    Ok(sum)
}
// ANCHOR_END: lost
