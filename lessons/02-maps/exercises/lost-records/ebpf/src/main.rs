//! Reports each directory that is made, in a ring buffer that is soon full.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    btf_maps::{Array, RingBuf},
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

/// A record is the id of a thread, in 8 bytes.
#[btf_map]
static RECORDS: RingBuf<(), 4096> = RingBuf::new();

/// How many records had no room, since the program was loaded.
#[btf_map]
static LOST: Array<u64, 1> = Array::new();

#[kprobe]
pub fn on_mkdir(_ctx: ProbeContext) -> u32 {
    let thread = bpf_get_current_pid_tgid() & 0xffff_ffff;
    if RECORDS.output_untyped::<u64>(&thread, 0).is_err()
        && let Some(lost) = LOST.get_ptr_mut(0)
    {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(lost, 1) };
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
