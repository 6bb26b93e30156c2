//! Each change is sent, counted for its process, and remembered under its name.

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};
use core::mem::offset_of;
use core::ptr;

use aya_ebpf::{
    bindings::BPF_NOEXIST,
    helpers::{
        bpf_ktime_get_ns,
        generated::{bpf_probe_read_kernel_str, bpf_ringbuf_output},
    },
};

use crate::event::{Change, KEY_SIZE, Process, Recent};
use crate::state::{CHANGES, COUNTERS, PROCESSES, RECENT};

// ANCHOR: add
/// Adds one, while other CPUs may do the same. `AtomicU64` has no `fetch_add` for eBPF, which had
/// no compare-and-swap before Linux 5.12. This intrinsic becomes the one atomic instruction that
/// eBPF has always had; it returns nothing.
pub fn add_one(number: *mut u64) {
    // SAFETY: callers pass the address of a number in a map.
    unsafe { atomic_xadd::<u64, u64, { Relaxed }>(number, 1) };
}
// ANCHOR_END: add

// ANCHOR: send
pub fn send_change(change: &Change, length: usize) {
    // SAFETY: `add_one` needs the address only, as in the other places.
    add_one(unsafe { &raw mut COUNTERS.changes });
    let ring_buffer = (&raw const CHANGES).cast_mut().cast();
    let record = ptr::from_ref(change).cast_mut().cast();
    let size = offset_of!(Change, names) + length;
    // SAFETY: `length` bytes of the names are filled; the verifier checks that they exist.
    if unsafe { bpf_ringbuf_output(ring_buffer, record, size as u64, 0) } < 0 {
        // SAFETY: as before.
        add_one(unsafe { &raw mut COUNTERS.lost });
    }
}
// ANCHOR_END: send

// ANCHOR: hash
pub fn count_process(change: &Change) {
    let new = Process {
        changes: 0,
        comm: change.comm,
    };
    // Fails if the process has an entry, which is fine, and if the map is full.
    let _ = PROCESSES.insert(change.pid, new, BPF_NOEXIST.into());
    match PROCESSES.get_ptr_mut(change.pid) {
        // SAFETY: nobody removes entries.
        Some(process) => add_one(unsafe { &raw mut (*process).changes }),
        // SAFETY: as before.
        None => add_one(unsafe { &raw mut COUNTERS.uncounted }),
    }
}
// ANCHOR_END: hash

// ANCHOR: lru
pub fn remember_name(change: &Change) -> Option<()> {
    let mut bytes = [0; KEY_SIZE];
    let (to, from) = ((&raw mut bytes).cast(), change.names.as_ptr().cast());
    // SAFETY: the helper checks the address, and the verifier the buffer.
    unsafe { bpf_probe_read_kernel_str(to, KEY_SIZE as u32, from) };
    // By reference: by value, each call would copy the 64 bytes one by one.
    let name = &bytes;
    let new = Recent {
        changes: 0,
        last: 0,
    };
    // Never full: names that have not been used for a long time are dropped.
    let _ = RECENT.insert(name, new, BPF_NOEXIST.into());
    let recent = RECENT.get_ptr_mut(name)?;
    // SAFETY: an entry that is dropped meanwhile is used again but never freed, so at worst a
    // number is lost. Two CPUs may write the time at once, and either is right.
    unsafe {
        add_one(&raw mut (*recent).changes);
        (*recent).last = bpf_ktime_get_ns();
    }
    Some(())
}
// ANCHOR_END: lru
