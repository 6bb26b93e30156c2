//! Loads, attaches and reads with libbpf-rs the programs that clang built.

use std::mem::MaybeUninit;

use anyhow::{Context as _, Result};
use common::record;
use common::ring_buffer::LibbpfRingBuffer;
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, MapCore as _, MapFlags, OpenObject, ProgramMut, UprobeOpts};

use crate::event::EventCounts;
use crate::options::Watch;

common::include_skeleton!("uprobe");
pub use skeleton::UprobeSkel;
use skeleton::UprobeSkelBuilder;

// ANCHOR: load
/// `text` is the number of the argument that is a string.
pub fn load(
    storage: &mut MaybeUninit<OpenObject>,
    text: u32,
    sleepable: bool,
) -> Result<UprobeSkel<'_>> {
    let mut open = UprobeSkelBuilder::default()
        .open(storage)
        .context("cannot open the programs")?;
    let globals = open.maps.rodata_data.as_mut();
    globals.context("cannot find the globals")?.text_argument = text;
    // Linux 5.10 would refuse it, and libbpf loads all programs or none.
    open.progs.on_enter_sleepable.set_autoload(sleepable);
    open.load().context("cannot load the programs")
}
// ANCHOR_END: load

// ANCHOR: attach
/// Dropping the link detaches the program.
pub fn attach(program: &ProgramMut<'_>, watch: &Watch, offset: u64) -> Result<Link> {
    let options = UprobeOpts {
        retprobe: program.section() == "uretprobe",
        ..Default::default()
    };
    let offset = usize::try_from(offset)?;
    let link = program.attach_uprobe_with_opts(pid_of(watch), &watch.file, offset, options);
    link.with_context(|| {
        let name = program.name().to_string_lossy();
        format!("cannot attach {name} to {}", watch.file.display())
    })
}

fn pid_of(watch: &Watch) -> i32 {
    let every_process = -1;
    watch.pid.map_or(every_process, u32::cast_signed)
}
// ANCHOR_END: attach

// ANCHOR: usdt
/// libbpf finds all places, and keeps where their arguments are in a map of its own.
pub fn attach_point(skeleton: &UprobeSkel<'_>, watch: &Watch) -> Result<Link> {
    let (provider, name) = watch.split_name()?;
    let program = &skeleton.progs.on_point;
    let link = program.attach_usdt(pid_of(watch), &watch.file, provider, name);
    link.with_context(|| format!("cannot attach on_point to {}", watch.file.display()))
}
// ANCHOR_END: usdt

pub fn read_events(skeleton: &UprobeSkel<'_>) -> Result<LibbpfRingBuffer> {
    LibbpfRingBuffer::open(&skeleton.maps.events)
}

pub fn read_counts(skeleton: &UprobeSkel<'_>) -> Result<Vec<EventCounts>> {
    let map = &skeleton.maps.counts;
    let cpus = map.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY);
    let cpus = cpus.context("cannot read the map counts")?;
    let cpus = cpus.context("cannot read the map counts: it is empty")?;
    cpus.iter().map(|bytes| record::from_bytes(bytes)).collect()
}
