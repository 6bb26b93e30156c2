//! Loads, attaches and reads with libbpf-rs the programs that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use common::record;
use common::ring_buffer::LibbpfRingBuffer;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, MapCore as _, MapFlags, OpenObject};

use crate::event::{OpenTotals, ParentReadings};
use crate::row;
use crate::settings::{FUNCTION, Offsets, Settings};
use crate::workload::call_function;

common::include_skeleton!("watch");
use skeleton::{OpenWatchSkel, WatchSkel, WatchSkelBuilder};

mod parent {
    common::include_skeleton!("parent");
    pub use skeleton::ParentSkelBuilder;
}
use parent::ParentSkelBuilder;

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn open<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<OpenWatchSkel<'a>> {
    let mut open = WatchSkelBuilder::default()
        .open(storage)
        .context("cannot open the programs")?;
    open.maps.starts.set_max_entries(settings.max_calls)?;
    open.maps.calls.set_max_entries(settings.max_calls)?;
    let globals = open.maps.rodata_data.as_mut();
    let globals = globals.context("cannot find the globals")?;
    globals.pid = settings.pid;
    globals.slower_than = settings.slower_than;
    Ok(open)
}

pub fn load(open: OpenWatchSkel<'_>) -> Result<WatchSkel<'_>> {
    open.load().context("cannot load the programs")
}
// ANCHOR_END: load

// ANCHOR: attach
/// The exit first: an entry that no exit follows would leave its start in the map. Dropping the
/// links detaches both programs.
pub fn attach_fentry(skeleton: &WatchSkel<'_>) -> Result<[Link; 2]> {
    let exit = skeleton.progs.open_exit.attach_trace();
    let exit = exit.context("cannot attach open_exit to do_sys_openat2")?;
    let enter = skeleton.progs.open_enter.attach_trace();
    Ok([
        exit,
        enter.context("cannot attach open_enter to do_sys_openat2")?,
    ])
}

pub fn attach_kprobe(skeleton: &WatchSkel<'_>) -> Result<[Link; 2]> {
    let exit = skeleton.progs.open_exit_probe.attach_kprobe(true, FUNCTION);
    let exit = exit.context("cannot attach open_exit_probe to do_sys_openat2")?;
    let enter = skeleton
        .progs
        .open_enter_probe
        .attach_kprobe(false, FUNCTION);
    Ok([
        exit,
        enter.context("cannot attach open_enter_probe to do_sys_openat2")?,
    ])
}
// ANCHOR_END: attach

pub fn read_events(skeleton: &WatchSkel<'_>) -> Result<LibbpfRingBuffer> {
    LibbpfRingBuffer::open(&skeleton.maps.events)
}

/// The totals of one pair of programs, `FEXIT` or `KRETPROBE`.
pub fn read_totals(skeleton: &WatchSkel<'_>, pair: u32) -> Result<OpenTotals> {
    let map = &skeleton.maps.totals;
    let cpus = map
        .lookup_percpu(&pair.to_ne_bytes(), MapFlags::ANY)
        .context("cannot read the map totals")?;
    let mut totals = Vec::new();
    for bytes in cpus.iter().flatten() {
        totals.push(record::from_bytes(bytes)?);
    }
    Ok(row::add_up(&totals))
}

// ANCHOR: ladder
/// One object from clang reads in all three ways.
pub fn read_parent(offsets: &Offsets) -> Result<ParentReadings> {
    let mut storage = MaybeUninit::uninit();
    let mut open = ParentSkelBuilder::default()
        .open(&mut storage)
        .context("cannot open the program")?;
    let globals = open.maps.rodata_data.as_mut();
    let globals = globals.context("cannot find the globals")?;
    globals.pid = std::process::id();
    globals.real_parent = offsets.real_parent;
    globals.tgid = offsets.tgid;
    globals.state = offsets.state;
    let skeleton = open.load().context("cannot load read_parent")?;
    let link = skeleton.progs.read_parent.attach_trace();
    let _link = link.context("cannot attach read_parent to do_sys_openat2")?;
    call_function()?;
    let map = &skeleton.maps.readings;
    let bytes = map.lookup(&0u32.to_ne_bytes(), MapFlags::ANY);
    let bytes = bytes.context("cannot read the map")?;
    record::from_bytes(&bytes.context("cannot read the map: it is empty")?)
}
// ANCHOR_END: ladder
