//! Counts the samples of each stack, and those whose stack is lost.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::{HashMap, StackTrace},
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, perf_event},
    programs::{PerfEventContext, tracing::StackIdContext as _},
};

#[repr(C)]
struct Place {
    process: u32,
    /// The key of its stack in STACKS.
    stack: u32,
}

/// Small, so that some stacks find no place.
#[btf_map]
static STACKS: StackTrace<16> = StackTrace::new();

#[btf_map]
static COUNTS: HashMap<Place, u64, 1024> = HashMap::new();

/// By the error, as a positive number.
#[btf_map]
static LOST: HashMap<u32, u64, 64> = HashMap::new();

#[perf_event]
pub fn on_sample(ctx: PerfEventContext) -> u32 {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    // TODO: the stack in user space, not the one in the kernel.
    let stack = ctx.get_stackid(&STACKS, 0);
    match stack {
        Ok(stack) => count(process, stack as u32),
        // TODO: for which reason is it lost?
        Err(_) => count_lost(0),
    }
    0
}

fn count(process: u32, stack: u32) {
    let place = Place { process, stack };
    // Other CPUs may be here as well: one inserts the entry, and all find it afterwards.
    let _ = COUNTS.insert(&place, 0, BPF_NOEXIST.into());
    if let Some(count) = COUNTS.get_ptr_mut(&place) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    }
}

fn count_lost(error: u32) {
    let _ = LOST.insert(error, 0, BPF_NOEXIST.into());
    if let Some(count) = LOST.get_ptr_mut(error) {
        // SAFETY: as above.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
