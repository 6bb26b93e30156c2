//! What the eBPF programs tell the user-space program. Both compile this file; the program in C
//! has the same in `bpf/report.h`.

use bytemuck::{Pod, Zeroable};

// What a covered process wanted to do with a file.
pub const OPEN: u32 = 0;
pub const EXEC: u32 = 1;
pub const RENAME: u32 = 2;
pub const LINK: u32 = 3;

/// An access to a file under the directory.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct PolicyEvent {
    /// Nanoseconds of the monotonic clock.
    pub time: u64,
    pub pid: u32,
    /// `OPEN`, `EXEC`, `RENAME` or `LINK`
    pub action: u32,
    /// From the file up to the directory. 0: it is the directory; 1: it is directly inside.
    pub steps: u32,
    /// 1: denied. 0: let through, because it is an audit.
    pub denied: u32,
    /// Of the process; ends with a zero byte.
    pub comm: [u8; 16],
    /// Of the file, without directories; ends with a zero byte. Linux has no longer names.
    pub name: [u8; 256],
}

// The indexes of the map of counts.
/// All events.
pub const SENT: usize = 0;
/// Events that did not fit into the ring buffer.
pub const LOST: usize = 1;
/// Files about which the witness was asked with the previous verdict 0.
pub const ASKED_WITH_ZERO: usize = 2;
/// Files about which the witness was asked with another previous verdict.
pub const ASKED_WITH_VERDICT: usize = 3;
/// How many counts there are.
pub const COUNT_SLOTS: usize = 4;
