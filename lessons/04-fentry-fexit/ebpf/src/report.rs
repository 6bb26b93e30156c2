//! Which calls are wanted, and what happens with such a call when it ends: the same for both pairs
//! of programs.
//!
//! What Rust costs here (`cargo xtask bench 04`): 1.5 times the instructions of the twin in C,
//! because arrays of bytes are copied byte by byte. Most calls are filtered out before that, so a
//! run executes as many as in C.

use core::hint::black_box;

use aya_ebpf::{
    Global,
    btf_maps::{PerCpuArray, RingBuf},
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_ktime_get_ns,
        bpf_probe_read_user_str_bytes,
    },
    macros::btf_map,
};

#[expect(dead_code, reason = "parent.rs uses the rest")]
#[path = "../../src/event.rs"]
pub mod event;

use crate::offsets::read_parent;
use event::{OpenEvent, OpenTotals};

#[btf_map]
static EVENTS: RingBuf<(), { 256 * 1024 }> = RingBuf::new();
#[btf_map]
static TOTALS: PerCpuArray<OpenTotals, 2> = PerCpuArray::new();

// User space sets these before it loads the programs. To the verifier they are constants, and it
// drops the code that they rule out.
/// 0: every process.
#[unsafe(no_mangle)]
static PID: Global<u32> = Global::new(0);
/// Nanoseconds.
#[unsafe(no_mangle)]
static SLOWER_THAN: Global<u64> = Global::new(0);

/// What is known of a call when it begins.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    pub start: u64,
    pub flags: u64,
    /// In the memory of the user program.
    pub name: *const u8,
}

pub fn is_wanted() -> bool {
    PID.load() == 0 || PID.load() == (bpf_get_current_pid_tgid() >> 32) as u32
}

pub fn count_no_room(seen_by: u32) {
    if let Some(totals) = TOTALS.get_ptr_mut(seen_by) {
        // SAFETY: each CPU has its own, and the lookup has checked the index.
        unsafe { (*totals).no_room += 1 };
    }
}

pub fn report_call(seen_by: u32, call: Call, result: i32) {
    let Some(totals) = TOTALS.get_ptr_mut(seen_by) else {
        return;
    };
    // SAFETY: this helper takes nothing and reads the clock.
    let now = unsafe { bpf_ktime_get_ns() };
    let took = if call.start == 0 { 0 } else { now - call.start };
    if took < SLOWER_THAN.load() {
        return;
    }
    // SAFETY: each CPU has its own, and the lookup has checked the index.
    let totals = unsafe { &mut *totals };
    totals.calls += 1;
    if call.start != 0 {
        let row = 63 - (took | 1).leading_zeros() as usize;
        // The compiler knows that this is below 64, and would drop the remainder; the verifier
        // needs it.
        totals.latency[black_box(row) % 64] += 1;
    }
    let Some(mut entry) = EVENTS.reserve_untyped::<OpenEvent>(0) else {
        totals.lost += 1;
        return;
    };
    fill_event(entry.as_mut_ptr(), seen_by, call, took, result);
    entry.submit(0);
}

/// Writes the event in its place in the ring buffer, as it would take a third of the stack.
fn fill_event(event: *mut OpenEvent, seen_by: u32, call: Call, took: u64, result: i32) {
    // SAFETY: the entry is ours until it is submitted, and every field is written before that.
    let event = unsafe { &mut *event };
    event.start = call.start;
    event.took = took;
    event.flags = call.flags;
    event.seen_by = seen_by;
    event.pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    event.parent = read_parent().unwrap_or(0);
    event.result = result;
    event.comm = bpf_get_current_comm().unwrap_or_default();
    event.filename[0] = 0;
    // At the entry the name may not be in memory yet; by now the kernel itself has read it.
    // SAFETY: the helper checks the address and fails when it cannot be read: then the name stays
    // empty.
    let _ = unsafe { bpf_probe_read_user_str_bytes(call.name, &mut event.filename) };
}
