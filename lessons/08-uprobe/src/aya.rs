//! Loads, attaches and reads with aya the programs that rustc and bpf-linker built.

use std::ffi::CString;
use std::num::NonZeroU32;
use std::os::fd::{AsFd as _, AsRawFd as _, BorrowedFd, FromRawFd as _, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::{fs, io, mem};

use anyhow::{Context as _, Result};
use aya::maps::PerCpuArray;
use aya::programs::UProbe;
use aya::programs::uprobe::{UProbeLink, UProbeScope};
use aya::{Ebpf, EbpfLoader};
use aya_obj::generated::{PERF_FLAG_FD_CLOEXEC, perf_event_attr};
use common::ring_buffer::{AyaRingBuffer, JoinedRingBuffers};
use nix::libc::{SYS_perf_event_open, c_int, c_ulong, syscall};

use crate::event::{EventCounts, PointArgument};
use crate::options::Watch;
use crate::usdt::{Point, parse_arguments};

const TYPE: &str = "/sys/bus/event_source/devices/uprobe/type";

// linux/perf_event.h has these two.
nix::ioctl_none!(enable_event, b'$', 0);
nix::ioctl_write_int!(set_program, b'$', 8);

// SAFETY: for both, bytemuck's derive checks that any bytes are a value and that none is padding.
unsafe impl aya::Pod for EventCounts {}
// SAFETY: as above.
unsafe impl aya::Pod for PointArgument {}

// ANCHOR: load
/// `text` is the number of the argument that is a string.
pub fn load(text: u32, arguments: &[PointArgument; 3]) -> Result<Ebpf> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/uprobe-ebpf"));
    let [first, second, third] = arguments;
    EbpfLoader::new()
        // The programs read no struct of the kernel, so the kernel's BTF need not be parsed.
        .btf(None)
        .override_global("TEXT_ARGUMENT", &text, true)
        .override_global("FIRST", first, true)
        .override_global("SECOND", second, true)
        .override_global("THIRD", third, true)
        .load(object)
        .context("cannot load the programs")
}
// ANCHOR_END: load

// ANCHOR: attach
/// Dropping the link detaches the program.
pub fn attach(ebpf: &mut Ebpf, name: &str, watch: &Watch, offset: u64) -> Result<UProbeLink> {
    let program = load_program(ebpf, name)?;
    let scope = match watch.pid.and_then(NonZeroU32::new) {
        Some(pid) => UProbeScope::OneProcess(pid),
        None => UProbeScope::AllProcesses,
    };
    // The program's section says whether it is a uprobe or a uretprobe.
    let id = program.attach(offset, &watch.file, scope);
    let id = id.with_context(|| format!("cannot attach {name} to {}", watch.file.display()))?;
    Ok(program.take_link(id)?)
}
// ANCHOR_END: attach

// ANCHOR: usdt
/// Each place of a probe point has its arguments elsewhere, so each gets its own copy of the
/// program.
pub fn attach_point(watch: &Watch, points: &[Point]) -> Result<(Vec<OwnedFd>, Vec<Ebpf>)> {
    let (mut links, mut copies) = (Vec::new(), Vec::new());
    for point in points {
        let mut ebpf = load(watch.text(), &parse_arguments(&point.arguments)?)?;
        let program = load_program(&mut ebpf, "on_point")?.fd()?;
        let link = attach_counted(program.as_fd(), watch, point);
        let context = || format!("cannot attach on_point to {}", watch.file.display());
        links.push(link.with_context(context)?);
        copies.push(ebpf);
    }
    Ok((links, copies))
}
// ANCHOR_END: usdt

// ANCHOR: semaphore
/// Makes the system calls of aya 0.14, and passes the semaphore on, as aya cannot. Closing what it
/// returns detaches the program and counts it out.
fn attach_counted(program: BorrowedFd<'_>, watch: &Watch, point: &Point) -> Result<OwnedFd> {
    let kind = fs::read_to_string(TYPE).with_context(|| format!("cannot read {TYPE}"))?;
    let path =
        CString::new(watch.file.as_os_str().as_bytes()).context("a path has no zero byte")?;
    // SAFETY: all of its fields are numbers.
    let mut attributes: perf_event_attr = unsafe { mem::zeroed() };
    attributes.type_ = kind.trim().parse()?;
    attributes.size = size_of::<perf_event_attr>() as u32;
    attributes.__bindgen_anon_3.uprobe_path = path.as_ptr() as u64;
    attributes.__bindgen_anon_4.probe_offset = point.offset;
    // /sys/bus/event_source/devices/uprobe/format/ref_ctr_offset says "config:32-63".
    attributes.config = point.semaphore << 32;
    // Of every process on one CPU, or of one process on every CPU; uprobes ignore the CPU.
    let (pid, cpu): (c_int, c_int) = match watch.pid {
        None => (-1, 0),
        Some(pid) => (pid.cast_signed(), -1),
    };
    let no_group: c_int = -1;
    let flags: c_ulong = PERF_FLAG_FD_CLOEXEC.into();
    // SAFETY: `attributes` and the path in it are valid during the call.
    let fd = unsafe {
        syscall(
            SYS_perf_event_open,
            &raw const attributes,
            pid,
            cpu,
            no_group,
            flags,
        )
    };
    if fd < 0 {
        return Err(io::Error::last_os_error()).context("perf_event_open");
    }
    // SAFETY: the kernel has just created it, for nobody else.
    let event = unsafe { OwnedFd::from_raw_fd(c_int::try_from(fd)?) };
    // SAFETY: both take numbers, and the file descriptors are open.
    unsafe {
        set_program(event.as_raw_fd(), program.as_raw_fd() as c_ulong)
            .context("PERF_EVENT_IOC_SET_BPF")?;
        enable_event(event.as_raw_fd()).context("PERF_EVENT_IOC_ENABLE")?;
    }
    Ok(event)
}
// ANCHOR_END: semaphore

pub fn read_events(copies: &mut [Ebpf]) -> Result<JoinedRingBuffers> {
    let mut joined = JoinedRingBuffers::default();
    for ebpf in copies {
        joined.add(AyaRingBuffer::open(ebpf, "EVENTS")?);
    }
    Ok(joined)
}

pub fn read_counts(copies: &[Ebpf]) -> Result<Vec<EventCounts>> {
    let mut counts = Vec::new();
    for ebpf in copies {
        let map = ebpf.map("COUNTS").context("cannot find the map COUNTS")?;
        let map: PerCpuArray<_, EventCounts> = map.try_into()?;
        let cpus = map.get(&0, 0).context("cannot read the map COUNTS")?;
        counts.extend_from_slice(&cpus);
    }
    Ok(counts)
}

fn load_program<'a>(ebpf: &'a mut Ebpf, name: &str) -> Result<&'a mut UProbe> {
    let program = ebpf.program_mut(name);
    let program: &mut UProbe = program
        .with_context(|| format!("cannot find {name}"))?
        .try_into()?;
    if program.fd().is_err() {
        program
            .load()
            .with_context(|| format!("cannot load {name}"))?;
    }
    Ok(program)
}
