//! The new forms that the book's page "What changed" shows, with aya-ebpf 0.2.1.

#![no_std]

use aya_ebpf::EbpfContext as _;
use aya_ebpf::bindings::xdp_action;
use aya_ebpf::btf_maps::{HashMap, ProgramArray, Queue, StackTrace};
use aya_ebpf::helpers::{bpf_printk, bpf_probe_read_user_str_bytes};
use aya_ebpf::macros::{btf_map, kprobe, kretprobe, lsm, perf_event, xdp};
use aya_ebpf::programs::tracing::StackIdContext as _;
use aya_ebpf::programs::{LsmContext, PerfEventContext, ProbeContext, RetProbeContext, XdpContext};

// ANCHOR: maps
#[btf_map]
static COUNTS: HashMap<u32, u64, 64> = HashMap::new();
// ANCHOR_END: maps

#[btf_map]
static NEXT: ProgramArray<4> = ProgramArray::new();

#[btf_map]
static JOBS: Queue<u64, 16> = Queue::new();

#[btf_map]
static STACKS: StackTrace<1024> = StackTrace::new();

// ANCHOR: errors
#[kprobe]
pub fn count(ctx: ProbeContext) -> u32 {
    match try_count(&ctx) {
        Ok(()) => 0,
        Err(code) => code as u32,
    }
}

/// Helpers and maps now report errors as `i32`.
fn try_count(ctx: &ProbeContext) -> Result<(), i32> {
    COUNTS.insert(ctx.pid(), 1, 0)
}
// ANCHOR_END: errors

// ANCHOR: ret
#[kretprobe]
pub fn returned(ctx: RetProbeContext) -> u32 {
    let result: i64 = ctx.ret();
    u32::from(result < 0)
}
// ANCHOR_END: ret

// ANCHOR: lsm
#[lsm(hook = "file_open")]
pub fn open_file(_ctx: LsmContext) -> i32 {
    0
}
// ANCHOR_END: lsm

// ANCHOR: tail-call
#[xdp]
pub fn first(ctx: XdpContext) -> u32 {
    // SAFETY: the programs in the map are XDP programs, which expect this context.
    unsafe { NEXT.tail_call(&ctx, 1) };
    // Only reached if there is no program at index 1.
    xdp_action::XDP_PASS
}
// ANCHOR_END: tail-call

// ANCHOR: queue
#[kprobe]
pub fn take_job(_ctx: ProbeContext) -> u32 {
    match JOBS.pop() {
        Ok(Some(job)) => job as u32,
        Ok(None) | Err(_) => 0,
    }
}
// ANCHOR_END: queue

// ANCHOR: stack
#[perf_event]
pub fn sample(ctx: PerfEventContext) -> u32 {
    match ctx.get_stackid(&STACKS, 0) {
        Ok(id) => id as u32,
        Err(_) => 0,
    }
}
// ANCHOR_END: stack

// ANCHOR: string
#[kprobe]
pub fn read_name(ctx: ProbeContext) -> u32 {
    let mut buffer = [0u8; 64];
    let Some(path) = ctx.arg::<*const u8>(1) else {
        return 0;
    };
    // SAFETY: the helper checks the address; the verifier checks the buffer.
    let Ok(name) = (unsafe { bpf_probe_read_user_str_bytes(path, &mut buffer) }) else {
        return 0;
    };
    // SAFETY: the format takes one integer, and gets one.
    unsafe { bpf_printk!(c"%d bytes", name.len() as u32) };
    0
}
// ANCHOR_END: string
