//! Counts the removals of files that fail, for each process.

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
    macros::{btf_map, kretprobe},
    programs::RetProbeContext,
};

/// A process, and how many of its removals failed.
#[btf_map]
static FAILED: HashMap<u32, u64, 1024> = HashMap::new();

#[kretprobe]
pub fn removed(ctx: RetProbeContext) -> u32 {
    let ret: i32 = ctx.ret();
    if ret < 0 {
        count((bpf_get_current_pid_tgid() >> 32) as u32);
    }
    0
}

fn count(pid: u32) {
    // A process may have threads on several CPUs. `BPF_NOEXIST` lets one of them insert the entry,
    // and all find it afterwards.
    let _ = FAILED.insert(pid, 0, BPF_NOEXIST.into());
    if let Some(count) = FAILED.get_ptr_mut(pid) {
        // SAFETY: a pointer to a value of the map, which stays valid while the program runs.
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
