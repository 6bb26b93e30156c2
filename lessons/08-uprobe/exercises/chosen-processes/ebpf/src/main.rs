//! Counts the calls of a function, by process.

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
    macros::{btf_map, uprobe},
    programs::ProbeContext,
};

/// How often each process has called it.
#[btf_map]
static CALLS: HashMap<u32, u64, 1024> = HashMap::new();

#[uprobe]
pub fn on_call(_ctx: ProbeContext) -> u32 {
    let process = (bpf_get_current_pid_tgid() >> 32) as u32;
    // Other CPUs may be here as well: one inserts the entry, and all find it afterwards.
    let _ = CALLS.insert(process, 0, BPF_NOEXIST.into());
    if let Some(count) = CALLS.get_ptr_mut(process) {
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
