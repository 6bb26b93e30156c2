//! Events of perf, which kprobes, uprobes and tracepoints are for a program that is attached.

use std::fs;
use std::io;
use std::mem;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};

use libbpf_sys::perf_event_attr;
use nix::libc;
use plan::load::AttachResult;

use super::bpf::{self, create_link, link_options};
use super::refusal::refuse;

mod request {
    nix::ioctl_write_int!(set_bpf_program, b'$', 8);
}

/// An event with nothing set but its kind.
pub fn describe_event(kind: u32, config: u64) -> perf_event_attr {
    perf_event_attr {
        type_: kind,
        size: mem::size_of::<perf_event_attr>() as u32,
        config,
        ..perf_event_attr::default()
    }
}

/// The kernel's number for a source of events: `kprobe`, `uprobe`.
pub fn read_event_kind(source: &str) -> Result<u32, AttachResult> {
    let path = format!("/sys/bus/event_source/devices/{source}/type");
    let text = fs::read_to_string(&path)
        .map_err(|error| refuse(None, &format!("cannot read {path}"), error))?;
    text.trim()
        .parse()
        .map_err(|error| refuse(None, &format!("cannot parse {path}"), error))
}

/// The bit of an event's configuration that stands for the function's return.
pub fn read_return_bit(source: &str) -> Result<u64, AttachResult> {
    let path = format!("/sys/bus/event_source/devices/{source}/format/retprobe");
    let text = fs::read_to_string(&path)
        .map_err(|error| refuse(None, &format!("cannot read {path}"), error))?;
    let bit = text.trim().strip_prefix("config:");
    let bit = bit.and_then(|bit| bit.parse::<u32>().ok());
    bit.and_then(|bit| 1_u64.checked_shl(bit))
        .ok_or_else(|| refuse(None, &format!("cannot parse {path}"), text.trim()))
}

/// Opens an event of all processes on the first CPU. A program that is attached to a kprobe, a
/// uprobe or a tracepoint runs on all CPUs nevertheless.
pub fn open_event(event: &perf_event_attr) -> io::Result<OwnedFd> {
    const ALL_PROCESSES: libc::pid_t = -1;
    const FIRST_CPU: libc::c_int = 0;
    const NO_GROUP: libc::c_int = -1;
    // SAFETY: the event's texts, if it has any, are alive: whoever set them holds them.
    let opened = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            event,
            ALL_PROCESSES,
            FIRST_CPU,
            NO_GROUP,
            libbpf_sys::PERF_FLAG_FD_CLOEXEC,
        )
    };
    if opened < 0 {
        return Err(io::Error::last_os_error());
    }
    bpf::own(opened as libc::c_int)
}

/// Attaches a program to an event, and detaches it.
pub fn attach_to_event(program: BorrowedFd<'_>, event: OwnedFd) -> Result<(), AttachResult> {
    let event = event.as_fd();
    let linked = create_link(
        program,
        event.as_raw_fd(),
        libbpf_sys::BPF_PERF_EVENT,
        &link_options(),
    );
    match linked {
        Ok(_) => Ok(()),
        // Before 5.15 there is no such link, and closing the event detaches the program.
        Err(error) if error.raw_os_error() == Some(libc::EINVAL) => set_program(event, program),
        Err(error) => Err(refuse(None, "cannot attach to the event", error)),
    }
}

fn set_program(event: BorrowedFd<'_>, program: BorrowedFd<'_>) -> Result<(), AttachResult> {
    // SAFETY: it takes descriptors only.
    let set = unsafe {
        request::set_bpf_program(event.as_raw_fd(), program.as_raw_fd() as libc::c_ulong)
    };
    set.map_err(io::Error::from)
        .map_err(|error| refuse(None, "cannot attach to the event", error))?;
    Ok(())
}

/// A program of this type is attached to a clock of the first CPU: guests have no counters.
pub fn attach_perf_event(program: BorrowedFd<'_>) -> Result<(), AttachResult> {
    /// Seldom enough for an emulated CPU.
    const SAMPLES_A_SECOND: u64 = 10;
    let mut event = describe_event(
        libbpf_sys::PERF_TYPE_SOFTWARE,
        u64::from(libbpf_sys::PERF_COUNT_SW_CPU_CLOCK),
    );
    event.__bindgen_anon_1.sample_freq = SAMPLES_A_SECOND;
    event.set_freq(1);
    let opened = open_event(&event)
        .map_err(|error| refuse(None, "cannot open an event of the CPU's clock", error))?;
    attach_to_event(program, opened)
}
