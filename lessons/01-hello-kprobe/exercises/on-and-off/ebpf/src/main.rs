//! Counts the files that are removed.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    btf_maps::Array,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

/// One number.
#[btf_map]
static REMOVED: Array<u64, 1> = Array::new();

#[kprobe]
pub fn on_remove(_ctx: ProbeContext) -> u32 {
    if let Some(count) = REMOVED.get_ptr_mut(0) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
