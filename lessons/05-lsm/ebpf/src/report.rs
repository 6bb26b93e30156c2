//! Events and counts for user space.

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    btf_maps::{Array, RingBuf},
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns,
        bpf_probe_read_kernel_str_bytes,
    },
    macros::btf_map,
};

#[path = "../../src/event.rs"]
pub mod event;

use crate::path::{DENTRY_NAME, read_field};
use event::{COUNT_SLOTS, LOST, PolicyEvent, SENT};

#[btf_map]
static EVENTS: RingBuf<(), { 256 * 1024 }> = RingBuf::new();

#[btf_map]
static COUNTS: Array<u64, COUNT_SLOTS> = Array::new();

pub fn add_count(slot: usize) {
    if let Some(number) = COUNTS.get_ptr_mut(slot as u32) {
        // SAFETY: the pointer is into the map; other CPUs add to it at the same time, and none
        // reads it here.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(number, 1) };
    }
}

pub fn report_access(action: u32, dentry: u64, steps: u32, denied: u32) {
    add_count(SENT);
    let Some(mut entry) = EVENTS.reserve_untyped::<PolicyEvent>(0) else {
        return add_count(LOST);
    };
    let event = entry.as_mut_ptr();
    // SAFETY: the entry is ours until it is submitted, and every field is written before that.
    unsafe {
        (*event).time = bpf_ktime_get_ns();
        (*event).pid = (bpf_get_current_pid_tgid() >> 32) as u32;
        (*event).action = action;
        (*event).steps = steps;
        (*event).denied = denied;
        (*event).comm = bpf_get_current_comm().unwrap_or_default();
        (*event).name[0] = 0;
        let name = read_field(dentry, &DENTRY_NAME);
        let _ = bpf_probe_read_kernel_str_bytes(name, &mut (*event).name);
    }
    entry.submit(0);
}
