//! Runs many times a second on each CPU, and counts what the CPU was doing: the stack of the
//! process and the stack of the kernel.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(internal_features, reason = "atomic_xadd is one")]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    Global,
    bindings::{BPF_F_USER_STACK, BPF_NOEXIST},
    btf_maps::{HashMap, PerCpuArray, StackTrace},
    helpers::{bpf_get_current_pid_tgid, generated::bpf_get_current_comm},
    macros::{btf_map, perf_event},
    programs::{PerfEventContext, tracing::StackIdContext as _},
};

#[path = "../../src/event.rs"]
mod event;

use event::{MAX_FRAMES, SampleKey, SampleTotals};

// ANCHOR: maps
/// The key is a hash of the stack, the value is its addresses, innermost first. User space sets
/// the size of this map and of the next.
#[btf_map]
static STACKS: StackTrace<1, 0, MAX_FRAMES> = StackTrace::new();

#[btf_map]
static COUNTS: HashMap<SampleKey, u64, 1> = HashMap::new();

#[btf_map]
static TOTALS: PerCpuArray<SampleTotals, 1> = PerCpuArray::new();
// ANCHOR_END: maps

/// User space sets it before it loads the program. 0: every process.
#[unsafe(no_mangle)]
static PID: Global<u32> = Global::new(0);

// ANCHOR: sample
#[perf_event]
pub fn take_sample(ctx: PerfEventContext) -> u32 {
    let Some(totals) = TOTALS.get_ptr_mut(0) else {
        return 0;
    };
    // SAFETY: each CPU has its own, and no sample interrupts another.
    let totals = unsafe { &mut *totals };
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // The kernel's idle task, one for each CPU.
    if pid == 0 {
        totals.idle += 1;
        return 0;
    }
    if PID.load() != 0 && PID.load() != pid {
        return 0;
    }
    totals.samples += 1;
    let mut key = SampleKey {
        pid,
        user_stack: keep_stack(&ctx, BPF_F_USER_STACK.into()),
        kernel_stack: keep_stack(&ctx, 0),
        comm: [0; 16],
    };
    // The helper of aya-ebpf returns the name, which would be copied byte by byte.
    // SAFETY: the helper fills as many bytes as it is told that there are.
    unsafe { bpf_get_current_comm((&raw mut key.comm).cast(), 16) };
    if !count_sample(&key) {
        totals.uncounted += 1;
    }
    0
}
// ANCHOR_END: sample

// ANCHOR: stack
/// The stack's key in the map. The kernel walks through the stack, hashes the addresses, and stores
/// them unless they are there already. Also the number of an error, for example -EEXIST: another
/// stack has its place.
fn keep_stack(ctx: &PerfEventContext, flags: u64) -> i32 {
    match ctx.get_stackid(&STACKS, flags) {
        Ok(key) => key as i32,
        Err(error) => error,
    }
}
// ANCHOR_END: stack

// ANCHOR: count
/// Whether there was room.
fn count_sample(key: &SampleKey) -> bool {
    // Fails if the key has an entry, which is fine, and if the map is full.
    let _ = COUNTS.insert(key, 0, BPF_NOEXIST.into());
    let Some(count) = COUNTS.get_ptr_mut(key) else {
        return false;
    };
    // SAFETY: nobody removes entries, and the addition is atomic: the threads of a process run on
    // several CPUs.
    unsafe { atomic_xadd::<u64, u64, { Relaxed }>(count, 1) };
    true
}
// ANCHOR_END: count

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
