//! What the eBPF programs tell the user-space program. Both compile this file; the programs in C
//! have the same structs in `bpf/event.h` and `bpf/parent.bpf.c`.

use bytemuck::{Pod, Zeroable};

/// Which pair of programs saw a call: `seen_by` of an event, and the index of its totals.
pub const FEXIT: u32 = 0;
pub const KRETPROBE: u32 = 1;

/// One call of the function, after it returned.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct OpenEvent {
    /// When the function was entered, in nanoseconds since the machine started. 0: unknown, because
    /// the map was full.
    pub start: u64,
    /// Nanoseconds, if `start` is known.
    pub took: u64,
    pub flags: u64,
    /// `FEXIT` or `KRETPROBE`
    pub seen_by: u32,
    pub pid: u32,
    /// The process id of the parent.
    pub parent: u32,
    /// A file descriptor, or an error as a negative number.
    pub result: i32,
    pub comm: [u8; 16],
    /// Ends with a zero byte; a longer name is cut.
    pub filename: [u8; 128],
}

/// What one pair of programs counted on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct OpenTotals {
    pub calls: u64,
    /// Calls whose event did not fit into the ring buffer.
    pub lost: u64,
    /// Calls whose entry did not fit into the hash map.
    pub no_room: u64,
    /// Row `n` counts the calls that took at least 2^n nanoseconds, and less than twice that.
    pub latency: [u64; 64],
}

/// `task->real_parent->tgid` and the task's state, read in several ways. Each is the value, or the
/// negative number of an error.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct ParentReadings {
    /// With `BAKED_REAL_PARENT` and `BAKED_TGID`.
    pub baked: i64,
    /// With offsets that user space found in the kernel's BTF.
    pub found: i64,
    /// With offsets that the loader corrected; only the program in C has those.
    pub relocated: i64,
    pub state_found: i64,
    pub state_relocated: i64,
}

/// Offsets in `struct task_struct` of Linux 6.12 (Debian's 6.12.107+deb13-cloud-amd64), and of no
/// other kernel here. They come from `bpftool btf dump file /sys/kernel/btf/vmlinux`, bits divided
/// by 8; tools like aya-tool bake in whole structs in the same way.
pub const BAKED_REAL_PARENT: u32 = 2448;
pub const BAKED_TGID: u32 = 2436;
