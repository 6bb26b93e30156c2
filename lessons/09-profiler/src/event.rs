//! What the eBPF program counts. Both sides compile this file; the program in C has the same
//! structs in `bpf/event.h`.

use bytemuck::{Pod, Zeroable};

/// As many frames as the kernel keeps of a stack, unless `kernel.perf_event_max_stack` was changed:
/// the innermost ones.
pub const MAX_FRAMES: usize = 127;

/// All samples that have this in common are one entry of the hash map.
#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
pub struct SampleKey {
    pub pid: u32,
    /// Keys of the stack-trace map, or the negative numbers of errors.
    pub user_stack: i32,
    pub kernel_stack: i32,
    pub comm: [u8; 16],
}

/// What the program counted on one CPU.
#[repr(C)]
#[derive(Clone, Copy, Default, Pod, Zeroable)]
pub struct SampleTotals {
    pub samples: u64,
    /// The CPU had nothing to do. Not part of `samples`.
    pub idle: u64,
    /// Samples whose key did not fit into the hash map.
    pub uncounted: u64,
}
