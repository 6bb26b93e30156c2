//! Kernel side: two ways to watch one function, `do_sys_openat2(dirfd, filename, how)`, which opens
//! files.
//!
//! fexit sees arguments and result in one place; all it lacks is the time at which the call began.
//! kretprobe sees only the result, so kprobe has to keep everything else for it.

#![no_std]
#![no_main]

#[path = "../../src/event.rs"]
mod event;
mod filter;
mod report;

use aya_ebpf::{
    btf_maps::HashMap,
    helpers::{bpf_get_current_pid_tgid, bpf_ktime_get_ns, bpf_probe_read_kernel},
    macros::{btf_map, fentry, fexit, kprobe, kretprobe},
    programs::{FEntryContext, FExitContext, ProbeContext, RetProbeContext},
};
use event::{FEXIT, KRETPROBE};
use report::{Call, no_room, report};

/// The start of `struct open_how`. It belongs to the interface with user programs, so it never
/// changes; structs of the kernel's own do, see `parent.rs`.
#[repr(C)]
struct OpenHow {
    flags: u64,
}

// ANCHOR: maps
/// The key is the thread: it can be in only one such call at a time. User space sets the size.
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
    if filter::wants() && STARTS.insert(bpf_get_current_pid_tgid(), start, 0).is_err() {
        no_room(FEXIT);
    }
    0
}
// ANCHOR_END: fentry

// ANCHOR: fexit
#[fexit]
pub fn open_exit(ctx: FExitContext) -> i32 {
    if filter::wants() {
        let thread = bpf_get_current_pid_tgid();
        // SAFETY: only this thread uses its entry.
        let start = unsafe { STARTS.get(thread) }.copied().unwrap_or(0);
        let _ = STARTS.remove(thread);
        let how: *const OpenHow = ctx.arg(2);
        // SAFETY: the verifier knows from BTF what `how` points to, and lets us follow it; a fault
        // reads 0.
        let flags = unsafe { (*how).flags };
        // The result follows the arguments. `ctx.ret()` asks a helper for it that Linux has since
        // 5.17 only. It is a long up to Linux 6.12 and an int in 6.18: only 32 bits of the register
        // are sure to be the result.
        report(
            FEXIT,
            Call {
                start,
                flags,
                name: ctx.arg(1),
                dirfd: ctx.arg(0),
            },
            ctx.arg(3),
        );
    }
    0
}
// ANCHOR_END: fexit

// ANCHOR: kprobe
#[kprobe]
pub fn open_enter_probe(ctx: ProbeContext) -> u32 {
    if filter::wants()
        && let Some(call) = arguments(&ctx)
        && CALLS.insert(bpf_get_current_pid_tgid(), call, 0).is_err()
    {
        no_room(KRETPROBE);
    }
    0
}

fn arguments(ctx: &ProbeContext) -> Option<Call> {
    // SAFETY: this helper takes nothing and reads the clock.
    let start = unsafe { bpf_ktime_get_ns() };
    let how: *const OpenHow = ctx.arg(2)?;
    // SAFETY: here `how` is a mere number to the verifier; the helper fails when it is no address.
    let flags = unsafe { bpf_probe_read_kernel(&raw const (*how).flags) }.ok()?;
    Some(Call {
        start,
        flags,
        name: ctx.arg(1)?,
        dirfd: ctx.arg(0)?,
    })
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
#[kretprobe]
pub fn open_exit_probe(ctx: RetProbeContext) -> u32 {
    let thread = bpf_get_current_pid_tgid();
    // SAFETY: only this thread uses its entry.
    if let Some(call) = unsafe { CALLS.get(thread) }.copied() {
        let _ = CALLS.remove(thread);
        report(KRETPROBE, call, ctx.ret());
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
