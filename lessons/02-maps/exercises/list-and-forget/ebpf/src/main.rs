//! Counts the directories that each thread makes.

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
    btf_maps::HashMap,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

/// A thread's id, and how many directories it made.
#[btf_map]
static MADE: HashMap<u32, u64, 1024> = HashMap::new();

#[kprobe]
pub fn on_mkdir(_ctx: ProbeContext) -> u32 {
    let thread = bpf_get_current_pid_tgid() as u32;
    // Fails if the thread has an entry, which is fine.
    let _ = MADE.insert(thread, 0, BPF_NOEXIST.into());
    if let Some(count) = MADE.get_ptr_mut(thread) {
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
