//! Counts the programs that one user executes.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    Global,
    btf_maps::Array,
    helpers::bpf_get_current_uid_gid,
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

/// The user. It is set before the program is loaded.
#[unsafe(no_mangle)]
static WATCHED: Global<u32> = Global::new(0);

/// One number.
#[btf_map]
static EXECUTED: Array<u64, 1> = Array::new();

#[tracepoint(category = "sched", name = "sched_process_exec")]
pub fn on_exec(_ctx: TracePointContext) -> u32 {
    if bpf_get_current_uid_gid() as u32 == WATCHED.load()
        && let Some(count) = EXECUTED.get_ptr_mut(0)
    {
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
