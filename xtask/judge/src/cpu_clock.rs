//! The perf event that takes samples: the CPU clock, which every VM has.

use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};

use libbpf_rs::libbpf_sys::{self, perf_event_attr};
use nix::errno::Errno;
use nix::libc;

/// Samples in a second, on each CPU.
pub const HERTZ: u64 = 499;

/// What happens on this CPU, in all processes. aya has a function for that, and libbpf has none.
pub fn open_cpu_clock(cpu: u32) -> io::Result<OwnedFd> {
    let mut event = perf_event_attr {
        type_: libbpf_sys::PERF_TYPE_SOFTWARE,
        size: size_of::<perf_event_attr>() as u32,
        config: libbpf_sys::PERF_COUNT_SW_CPU_CLOCK.into(),
        ..Default::default()
    };
    event.__bindgen_anon_1.sample_freq = HERTZ;
    event.set_freq(1);
    let (all_processes, no_group) = (-1, -1);
    // SAFETY: the kernel reads the description of the event, which says how long it is.
    let result = unsafe {
        libc::syscall(
            libc::SYS_perf_event_open,
            &raw const event,
            all_processes,
            cpu,
            no_group,
            u64::from(libbpf_sys::PERF_FLAG_FD_CLOEXEC),
        )
    };
    let descriptor = Errno::result(result)?;
    // SAFETY: the kernel has just made this descriptor, and nobody else has it.
    Ok(unsafe { OwnedFd::from_raw_fd(descriptor as i32) })
}
