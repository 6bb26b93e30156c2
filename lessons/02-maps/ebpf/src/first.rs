//! Counts the files that each process creates, in one map.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic_xadd is one")]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    btf_maps::HashMap,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static CREATED: HashMap<u32, u64, 1024> = HashMap::new();

#[kprobe]
pub fn count_create(_ctx: ProbeContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // Fails if the process has an entry, which is fine, and if the map is full.
    let _ = CREATED.insert(pid, 0, BPF_NOEXIST.into());
    if let Some(count) = CREATED.get_ptr_mut(pid) {
        // SAFETY: nobody removes entries. Another CPU may add to the same one at this moment.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    }
    0
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
