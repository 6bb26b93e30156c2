//! Counts frames.

use aya_ebpf::{btf_maps::PerCpuArray, macros::btf_map};
use xdp_ebpf::counter::{COUNTERS, Counter, Kind, VERDICTS};

// ANCHOR: count
/// Each CPU has its own counters and never waits for another one. User space adds them up.
#[btf_map]
static FRAMES: PerCpuArray<Counter, { COUNTERS as usize }> = PerCpuArray::new();

/// `bytes` is the length of the frame.
#[inline(always)]
pub fn count_frame(kind: Kind, verdict: u32, bytes: usize) {
    if let Some(counter) = FRAMES.get_ptr_mut(kind as u32 * VERDICTS + verdict) {
        // SAFETY: this counter belongs to this CPU, and no XDP program interrupts another one.
        unsafe {
            (*counter).frames += 1;
            (*counter).bytes += bytes as u64;
        }
    }
}
// ANCHOR_END: count
