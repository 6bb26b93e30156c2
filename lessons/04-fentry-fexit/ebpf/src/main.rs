//! Two ways to watch one function, `do_sys_openat2(dirfd, filename, how)`, which opens files.
//!
//! fexit sees the arguments and the result in one place; only the time at which the call began is
//! missing. kretprobe sees only the result, so the kprobe has to keep everything else for it.

#![no_std]
#![no_main]

mod offsets;
mod report;

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns, bpf_probe_read_kernel},
    macros::{btf_map, fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};

use report::event::{FEXIT, KRETPROBE};
use report::{Call, count_no_room, is_wanted, report_call};

/// The start of `struct open_how`. It is part of the interface with user programs, so its layout
/// never changes; that of structs inside the kernel does, see `parent.rs`.
#[repr(C)]
struct OpenHow {
    flags: u64,
}

// ANCHOR: maps
/// When a call began. The key is the thread, which can be in only one such call at a time. User
/// space sets the size.
#[btf_map]
static STARTS: HashMap<u64, u64, 1> = HashMap::new();

#[btf_map]
static CALLS: HashMap<u64, Call, 1> = HashMap::new();
// ANCHOR_END: maps

// ANCHOR: fentry
#[fentry]
pub fn open_enter(_: FEntryContext) -> i32 {
    // SAFETY: this helper takes nothing and reads the clock.
    let start = unsafe { bpf_ktime_get_ns() };
    if is_wanted() && STARTS.insert(bpf_get_current_pid_tgid(), start, 0).is_err() {
        count_no_room(FEXIT);
    }
    0
}
// ANCHOR_END: fentry

// ANCHOR: fexit
#[fexit]
pub fn open_exit(ctx: FExitContext) -> i32 {
    if !is_wanted() {
        return 0;
    }
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread uses its entry.
    let start = unsafe { STARTS.get(thread) }.copied().unwrap_or(0);
    let _ = STARTS.remove(thread);
    let how: *const OpenHow = ctx.arg(2);
    // SAFETY: the verifier knows from BTF what `how` points to, and lets the program follow it; a
    // fault reads 0.
    let flags = unsafe { (*how).flags };
    let name = ctx.arg(1);
    // The result comes after the arguments. `ctx.ret()` calls a helper that Linux has only since
    // 5.17. The result is a long up to Linux 6.12 and an int in 6.18: only the lower 32 bits of the
    // register are sure to be the result.
    report_call(FEXIT, Call { start, flags, name }, ctx.arg(3));
    0
}
// ANCHOR_END: fexit

// ANCHOR: kprobe
#[kprobe]
pub fn open_enter_probe(ctx: ProbeContext) -> u32 {
    if is_wanted()
        && let Some(call) = read_call(&ctx)
        && CALLS.insert(bpf_get_current_pid_tgid(), call, 0).is_err()
    {
        count_no_room(KRETPROBE);
    }
    0
}

fn read_call(ctx: &ProbeContext) -> Option<Call> {
    // SAFETY: this helper takes nothing and reads the clock.
    let start = unsafe { bpf_ktime_get_ns() };
    let name = ctx.arg(1)?;
    let how: *const OpenHow = ctx.arg(2)?;
    // SAFETY: here `how` is only a number to the verifier; the helper fails if it is no address.
    let flags = unsafe { bpf_probe_read_kernel(&raw const (*how).flags) };
    // As with fexit, a fault reads 0.
    let flags = flags.unwrap_or(0);
    Some(Call { start, flags, name })
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
#[kretprobe]
pub fn open_exit_probe(ctx: RetProbeContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread uses its entry.
    if let Some(call) = unsafe { CALLS.get(thread) }.copied() {
        let _ = CALLS.remove(thread);
        report_call(KRETPROBE, call, ctx.ret());
    }
    0
}
// ANCHOR_END: kretprobe

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
