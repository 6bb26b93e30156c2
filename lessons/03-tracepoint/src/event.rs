//! One execution of a program, as one of the three eBPF programs saw it. Those in Rust compile this
//! file too; those in C have the same struct in `bpf/event.bpf.h`.

use bytemuck::{Pod, Zeroable};

pub const TRACEPOINT: u32 = 0;
pub const RAW: u32 = 1;
pub const BTF: u32 = 2;

/// The parent's id where it is not known. No process has this id.
pub const UNKNOWN: u32 = u32::MAX;

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct Event {
    /// Nanoseconds since the kernel booted, without the time it was suspended
    pub time: u64,
    /// `TRACEPOINT`, `RAW` or `BTF`: which program saw it
    pub way: u32,
    pub pid: u32,
    /// The thread that called execve. Afterwards it is the only one, and has the id of the process.
    pub old_pid: u32,
    pub ppid: u32,
    pub uid: u32,
    /// The name of the program, cut to 15 bytes
    pub comm: [u8; 16],
    /// The path as execve got it; a longer one is cut. With this size the struct has no padding.
    pub filename: [u8; 252],
}
