//! The end of a call, the same for both ways: count it, and send an event.
//!
//! What Rust costs here (`cargo xtask bench 04`): 1.8 times the instructions of the twin in C,
//! because arrays of bytes are copied byte by byte: 75 of the instructions of `report` load or
//! store a single byte, in C it is one (counted with llvm-objdump). Most calls are filtered out
//! before that, so a run executes as many as in C.

use core::hint::black_box;

use aya_ebpf::{
    Global,
    btf_maps::{PerCpuArray, RingBuf},
    helpers::{
        bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_get_current_task, bpf_ktime_get_ns,
        bpf_probe_read_kernel, bpf_probe_read_user_str_bytes,
    },
    macros::btf_map,
};

use crate::event::{Event, ROWS, Totals};
use crate::filter;

#[btf_map]
static EVENTS: RingBuf<Event, 4096> = RingBuf::new();
#[btf_map]
static TOTALS: PerCpuArray<Totals, 2> = PerCpuArray::new();

// ANCHOR: offsets
/// Where `struct task_struct` of this kernel has these fields. The user side looks it up in the
/// kernel's BTF.
#[unsafe(no_mangle)]
static REAL_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TGID: Global<u32> = Global::new(0);

/// `task->real_parent->tgid`: who started the process.
fn parent() -> Option<u32> {
    // SAFETY: these helpers fail when an address cannot be read.
    unsafe {
        let task = bpf_get_current_task() as *const u8;
        let parent: *const u8 =
            bpf_probe_read_kernel(task.add(REAL_PARENT.load() as usize).cast()).ok()?;
        bpf_probe_read_kernel(parent.add(TGID.load() as usize).cast()).ok()
    }
}
// ANCHOR_END: offsets

/// What is known of a call when it begins.
#[derive(Clone, Copy)]
#[repr(C)]
pub struct Call {
    pub start: u64,
    pub flags: u64,
    /// In the memory of the user program.
    pub name: *const u8,
    pub dirfd: i32,
}

pub fn no_room(way: u32) {
    if let Some(totals) = TOTALS.get_ptr_mut(way) {
        // SAFETY: each CPU has its own, and the lookup has checked the index.
        unsafe { (*totals).no_room += 1 };
    }
}

pub fn report(way: u32, call: Call, result: i32) {
    let Some(totals) = TOTALS.get_ptr_mut(way) else {
        return;
    };
    // SAFETY: this helper takes nothing and reads the clock.
    let now = unsafe { bpf_ktime_get_ns() };
    let took = if call.start == 0 { 0 } else { now - call.start };
    if !filter::wants_result(took, result) {
        return;
    }
    // SAFETY: each CPU has its own, and the lookup has checked the index.
    let totals = unsafe { &mut *totals };
    totals.calls += 1;
    if call.start != 0 {
        let row = 63 - (took | 1).leading_zeros() as usize;
        // The compiler knows that this is below 64, and would drop the remainder; the verifier
        // needs it.
        totals.latency[black_box(row) % ROWS] += 1;
    }
    match EVENTS.reserve(0) {
        Some(mut room) => {
            fill(
                room.write(Event {
                    start: call.start,
                    took,
                    flags: call.flags,
                    way,
                    dirfd: call.dirfd,
                    result,
                    ..EMPTY
                }),
                call.name,
            );
            room.submit(0);
        }
        None => totals.lost += 1,
    }
}

/// An event is written in its place in the ring buffer: twice on the stack, it would not fit.
const EMPTY: Event = Event {
    start: 0,
    took: 0,
    flags: 0,
    way: 0,
    pid: 0,
    tid: 0,
    parent: 0,
    dirfd: 0,
    result: 0,
    comm: [0; 16],
    file: [0; 128],
};

fn fill(event: &mut Event, name: *const u8) {
    let thread = bpf_get_current_pid_tgid();
    event.pid = (thread >> 32) as u32;
    event.tid = thread as u32;
    event.parent = parent().unwrap_or(0);
    event.comm = bpf_get_current_comm().unwrap_or([0; 16]);
    // At the entry the name may not be in memory yet; now the kernel itself has just read it.
    // SAFETY: the helper checks the address and fails when it cannot be read: then the name stays
    // empty.
    let _ = unsafe { bpf_probe_read_user_str_bytes(name, &mut event.file) };
}
