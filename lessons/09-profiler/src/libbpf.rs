//! Loads, attaches and reads with libbpf-rs the program that clang built.

use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd as _, FromRawFd as _, IntoRawFd as _, OwnedFd};

use anyhow::{Context as _, Result};
use common::record;
use libbpf_rs::libbpf_sys::{
    PERF_COUNT_SW_CPU_CLOCK, PERF_FLAG_FD_CLOEXEC, PERF_TYPE_SOFTWARE, perf_event_attr,
};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{Link, MapCore as _, MapFlags, OpenObject};
use nix::libc;

use crate::event::{SampleKey, SampleTotals};
use crate::settings::Settings;
use crate::stack::SampledStack;

common::include_skeleton!("profile");
use skeleton::{ProfileSkel, ProfileSkelBuilder};

// ANCHOR: load
/// `storage` is where libbpf-rs keeps the object that the skeleton refers to.
pub fn load<'a>(
    storage: &'a mut MaybeUninit<OpenObject>,
    settings: &Settings,
) -> Result<ProfileSkel<'a>> {
    let builder = ProfileSkelBuilder::default();
    let mut open = builder.open(storage).context("cannot open the program")?;
    let globals = open.maps.rodata_data.as_mut();
    globals.context("cannot find the globals")?.pid = settings.pid;
    open.maps.stacks.set_max_entries(settings.max_stacks)?;
    open.maps.counts.set_max_entries(settings.max_stacks)?;
    open.load().context("cannot load the program")
}
// ANCHOR_END: load

// ANCHOR: attach
/// One event for each CPU. Dropping the links ends the sampling.
pub fn attach(skeleton: &ProfileSkel<'_>, settings: &Settings) -> Result<Vec<Link>> {
    let mut links = Vec::new();
    for &cpu in &settings.cpus {
        let event = open_clock(cpu, settings.frequency);
        let event = event.with_context(|| format!("cannot open the clock of CPU {cpu}"))?;
        let link = skeleton
            .progs
            .take_sample
            .attach_perf_event(event.as_raw_fd());
        let link =
            link.with_context(|| format!("cannot attach take_sample to the clock of CPU {cpu}"))?;
        // From here on the link closes it.
        let _ = event.into_raw_fd();
        links.push(link);
    }
    Ok(links)
}

// ANCHOR_END: attach

// ANCHOR: event
/// No library has a function for this system call. aya makes it in `attach`.
fn open_clock(cpu: u32, frequency: u64) -> io::Result<OwnedFd> {
    let mut attr = perf_event_attr {
        type_: PERF_TYPE_SOFTWARE,
        size: size_of::<perf_event_attr>() as u32,
        config: u64::from(PERF_COUNT_SW_CPU_CLOCK),
        ..Default::default()
    };
    attr.set_freq(1);
    attr.__bindgen_anon_1.sample_freq = frequency;
    let (every_process, no_group) = (-1, -1);
    // SAFETY: the kernel reads `size` bytes of the struct.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const attr,
            every_process,
            cpu,
            no_group,
            u64::from(PERF_FLAG_FD_CLOEXEC),
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just created it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}
// ANCHOR_END: event

/// The sum over all CPUs.
pub fn read_totals(skeleton: &ProfileSkel<'_>) -> Result<SampleTotals> {
    let map = &skeleton.maps.totals;
    let cpus = map.lookup_percpu(&0u32.to_ne_bytes(), MapFlags::ANY);
    let mut totals = Vec::new();
    for bytes in cpus.context("cannot read the map totals")?.iter().flatten() {
        totals.push(record::from_bytes::<SampleTotals>(bytes)?);
    }
    Ok(totals.into_iter().sum())
}

// ANCHOR: read
pub fn read_stacks(skeleton: &ProfileSkel<'_>) -> Result<Vec<SampledStack>> {
    let counts = &skeleton.maps.counts;
    let mut sampled = Vec::new();
    for bytes in counts.keys() {
        let count = counts.lookup(&bytes, MapFlags::ANY);
        let count = count.context("cannot read the map counts")?;
        let key: SampleKey = record::from_bytes(&bytes)?;
        sampled.push(SampledStack {
            key,
            count: record::from_bytes(&count.unwrap_or_default())?,
            user: read_frames(skeleton, key.user_stack)?,
            kernel: read_frames(skeleton, key.kernel_stack)?,
        });
    }
    Ok(sampled)
}

fn read_frames(skeleton: &ProfileSkel<'_>, id: i32) -> Result<Vec<u64>> {
    // An error in place of the key.
    let Ok(id) = u32::try_from(id) else {
        return Ok(Vec::new());
    };
    let stack = skeleton
        .maps
        .stacks
        .lookup(&id.to_ne_bytes(), MapFlags::ANY);
    let stack = stack.context("cannot read the map stacks")?;
    let mut frames = Vec::new();
    for bytes in stack.unwrap_or_default().chunks_exact(size_of::<u64>()) {
        frames.push(record::from_bytes(bytes)?);
    }
    // A shorter stack ends with zeros.
    frames.retain(|&address: &u64| address != 0);
    Ok(frames)
}
// ANCHOR_END: read
