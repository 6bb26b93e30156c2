//! Kernel side: tells who executes what, from one event in three ways.
//!
//! What Rust costs here (`cargo xtask bench 03`): 1.2 to 1.7 times the instructions of the twin in
//! C. Each offset is loaded from a global variable, which takes two instructions, where CO-RE
//! writes a constant; and each read of the kernel's memory can fail, which the code below looks at.
//! The instructions that a run executes are as many as in C.

#![no_std]
#![no_main]

#[path = "../../src/event.rs"]
mod event;

use aya_ebpf::{
    EbpfContext as _, Global,
    helpers::{
        bpf_get_current_uid_gid, bpf_ktime_get_ns, bpf_probe_read_kernel,
        bpf_probe_read_kernel_str_bytes, generated,
    },
    macros::{btf_tracepoint, map, raw_tracepoint, tracepoint},
    maps::{PerCpuArray, RingBuf},
    programs::{BtfTracePointContext, RawTracePointContext, TracePointContext},
};
use event::Event;

#[map]
static EVENTS: RingBuf = RingBuf::with_byte_size(256 * 1024, 0);

/// How many events of each way found the ring buffer full, or could not be read.
#[map]
static LOST: PerCpuArray<u64> = PerCpuArray::with_max_entries(3, 0);

// ANCHOR: globals
// Where the fields lie. User space fills these in before it loads the program: the first three from
// the event's format file, the others from the kernel's BTF. For the verifier they are constants.
#[unsafe(no_mangle)]
static PAYLOAD_FILENAME: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static PAYLOAD_PID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static PAYLOAD_OLD_PID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TASK_TGID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TASK_REAL_PARENT: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TASK_CRED: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static TASK_COMM: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static CRED_UID: Global<u32> = Global::new(0);
#[unsafe(no_mangle)]
static BPRM_FILENAME: Global<u32> = Global::new(0);
// ANCHOR_END: globals

// ANCHOR: tracepoint
#[tracepoint(category = "sched", name = "sched_process_exec")]
pub fn exec_tracepoint(ctx: TracePointContext) {
    send(event::TRACEPOINT, |event| {
        let record: *const u8 = ctx.as_ptr().cast();
        // SAFETY: the helpers check each address, and fail when it cannot be read.
        unsafe {
            event.pid = read(record, &PAYLOAD_PID)?;
            event.old_pid = read(record, &PAYLOAD_OLD_PID)?;
            // __data_loc: the low half says where in the record the text lies, the high half how
            // long it is.
            let data_loc: u32 = read(record, &PAYLOAD_FILENAME)?;
            bpf_probe_read_kernel_str_bytes(
                record.add(data_loc as usize & 0xffff),
                &mut event.filename,
            )?;
        }
        // The record has no more. Helpers tell about the process that runs, but not who its parent
        // is.
        event.ppid = event::UNKNOWN;
        event.uid = bpf_get_current_uid_gid() as u32;
        // SAFETY: the helper writes as many bytes as it is told. aya's own function for it would
        // return a copy.
        unsafe {
            generated::bpf_get_current_comm(event.comm.as_mut_ptr().cast(), event.comm.len() as u32)
        };
        Ok(())
    });
}
// ANCHOR_END: tracepoint

// ANCHOR: raw
#[raw_tracepoint(tracepoint = "sched_process_exec")]
pub fn exec_raw(ctx: RawTracePointContext) {
    let (task, old_pid, bprm): (*const u8, u32, *const u8) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    send(event::RAW, |event| {
        event.old_pid = old_pid;
        // SAFETY: the helpers check each address, and fail when it cannot be read.
        unsafe {
            let parent = read(task, &TASK_REAL_PARENT)?;
            let cred = read(task, &TASK_CRED)?;
            event.pid = read(task, &TASK_TGID)?;
            event.ppid = read(parent, &TASK_TGID)?;
            event.uid = read(cred, &CRED_UID)?;
            bpf_probe_read_kernel_str_bytes(at(task, &TASK_COMM), &mut event.comm)?;
            bpf_probe_read_kernel_str_bytes(read(bprm, &BPRM_FILENAME)?, &mut event.filename)?;
        }
        Ok(())
    });
}

/// Reads through a helper: the verifier does not know what `base` points at, so the helper looks
/// when it runs.
unsafe fn read<T>(base: *const u8, offset: &Global<u32>) -> Result<T, i32> {
    // SAFETY: the helper fails where nothing can be read; the caller wants a T that any bytes are.
    unsafe { bpf_probe_read_kernel(at(base, offset).cast()) }
}
// ANCHOR_END: raw

// ANCHOR: btf
#[btf_tracepoint(function = "sched_process_exec")]
pub fn exec_btf(ctx: BtfTracePointContext) {
    let (task, old_pid, bprm): (*const u8, u32, *const u8) = (ctx.arg(0), ctx.arg(1), ctx.arg(2));
    send(event::BTF, |event| {
        event.old_pid = old_pid;
        // SAFETY: the verifier knows what `task` and `bprm` point at, and refuses an offset where
        // no such field is.
        unsafe {
            let parent = load(task, &TASK_REAL_PARENT);
            let cred = load(task, &TASK_CRED);
            event.pid = load(task, &TASK_TGID);
            event.ppid = load(parent, &TASK_TGID);
            event.uid = load(cred, &CRED_UID);
            bpf_probe_read_kernel_str_bytes(at(task, &TASK_COMM), &mut event.comm)?;
            bpf_probe_read_kernel_str_bytes(load(bprm, &BPRM_FILENAME), &mut event.filename)?;
        }
        Ok(())
    });
}

/// Reads by a plain load, without a helper: the verifier has checked it before the program ran.
unsafe fn load<T>(base: *const u8, offset: &Global<u32>) -> T {
    // SAFETY: a load that the kernel cannot do gives zero; the caller wants a T that any bytes are.
    unsafe { at(base, offset).cast::<T>().read() }
}
// ANCHOR_END: btf

fn at(base: *const u8, offset: &Global<u32>) -> *const u8 {
    base.wrapping_add(offset.load() as usize)
}

// ANCHOR: send
fn send(way: u32, fill: impl FnOnce(&mut Event) -> Result<(), i32>) {
    let Some(mut entry) = EVENTS.reserve::<Event>(0) else {
        return lost(way);
    };
    // SAFETY: the memory is reserved for us, and an Event is made of integers: any bytes are one.
    let event = unsafe { &mut *entry.as_mut_ptr() };
    // SAFETY: the helper only reads a clock.
    event.time = unsafe { bpf_ktime_get_ns() };
    event.way = way;
    match fill(event) {
        Ok(()) => entry.submit(0),
        Err(_) => {
            entry.discard(0);
            lost(way);
        }
    }
}

// Once for all three programs, and not a copy in each.
#[inline(never)]
fn lost(way: u32) {
    if let Some(count) = LOST.get_ptr_mut(way) {
        // SAFETY: the pointer is this CPU's own counter, and nothing interrupts a program with
        // itself.
        unsafe { *count += 1 };
    }
}
// ANCHOR_END: send

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
