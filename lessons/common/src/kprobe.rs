//! Whether the kernel would place a kprobe on a function: asked by placing one, without a program.

use std::ffi::CString;
use std::fs;
use std::os::fd::{FromRawFd as _, OwnedFd};

use libbpf_rs::libbpf_sys::{PERF_FLAG_FD_CLOEXEC, perf_event_attr};
use nix::errno::Errno;
use nix::libc::{self, c_int, c_long};

/// The number of the kind of perf event that is a kprobe.
const KIND: &str = "/sys/bus/event_source/devices/kprobe/type";

/// False also where nobody may ask: the caller then has to find out in another way.
pub fn can_probe(function: &str) -> bool {
    let (Ok(kind), Ok(function)) = (fs::read_to_string(KIND), CString::new(function)) else {
        return false;
    };
    let Ok(kind) = kind.trim().parse() else {
        return false;
    };
    let mut event = perf_event_attr {
        type_: kind,
        size: size_of::<perf_event_attr>() as u32,
        ..perf_event_attr::default()
    };
    event.__bindgen_anon_3.kprobe_func = function.as_ptr() as u64;
    // Dropping it removes the kprobe.
    open_event(&event).is_ok()
}

fn open_event(event: &perf_event_attr) -> nix::Result<OwnedFd> {
    // Events of the first CPU, of all processes, in no group.
    let (pid, cpu, group): (c_int, c_int, c_int) = (-1, 0, -1);
    // SAFETY: the kernel reads `event` and the name that it points to, and writes nothing.
    let fd = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            event,
            pid,
            cpu,
            group,
            c_long::from(PERF_FLAG_FD_CLOEXEC),
        )
    };
    let fd: c_long = Errno::result(fd)?;
    // SAFETY: the kernel has just created it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as c_int) })
}
