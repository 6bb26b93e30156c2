//! One execution, as one of the three ways saw it: the bytes that travel through the ring buffer.
//!
//! The kernel side in Rust compiles this file too; `struct event` in `bpf/tracepoint.bpf.c` is its
//! twin.

/// Who saw it: `Event::way`, and the index into the counters of lost events.
pub const TRACEPOINT: u32 = 0;
pub const RAW: u32 = 1;
pub const BTF: u32 = 2;

/// Stands for a parent that the way cannot tell. No process has this id.
pub const UNKNOWN: u32 = u32::MAX;

#[derive(Clone, Copy)]
#[repr(C)]
pub struct Event {
    /// Nanoseconds since the kernel booted, without the time it slept.
    pub time: u64,
    pub way: u32,
    pub pid: u32,
    /// The thread that called execve; afterwards it is the only one, and has the id of the process.
    pub old_pid: u32,
    pub ppid: u32,
    pub uid: u32,
    /// The program's name, cut to 15 bytes.
    pub comm: [u8; 16],
    /// The path, as execve was given it; a longer one is cut. With this size the struct has no hole
    /// at its end.
    pub filename: [u8; 252],
}
