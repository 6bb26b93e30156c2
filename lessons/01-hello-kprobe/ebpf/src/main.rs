//! A kprobe shows what goes into the function that removes a file, a kretprobe what comes out.
//!
//! Each event leaves the kernel in two ways: through a ring buffer, and as text in the kernel's
//! trace buffer (`trace_pipe`).

#![no_std]
#![no_main]

#[path = "../../src/event.rs"]
mod event;
mod filename;

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::{
        bpf_get_current_pid_tgid, bpf_printk, bpf_probe_read_kernel,
        bpf_probe_read_kernel_str_bytes,
    },
    macros::{btf_map, kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use event::{ENTER, EXIT, Event};
use filename::Filename;

// ANCHOR: events
#[btf_map]
static EVENTS: RingBuf<(), { 128 * 1024 }> = RingBuf::new();
// ANCHOR_END: events

// ANCHOR: kprobe
#[kprobe]
pub fn hello_enter(ctx: ProbeContext) -> u32 {
    match enter(&ctx) {
        Some(()) => 0,
        None => 1,
    }
}

fn enter(ctx: &ProbeContext) -> Option<()> {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let dirfd: i32 = ctx.arg(0)?;
    let filename: *const Filename = ctx.arg(1)?;

    let mut event = Event {
        pid,
        kind: ENTER,
        value: dirfd,
        name: [0; 64],
    };
    // SAFETY: the helpers check the address and fail when it cannot be read; the verifier checks
    // the buffer.
    unsafe {
        let name = bpf_probe_read_kernel(&raw const (*filename).name).ok()?;
        bpf_probe_read_kernel_str_bytes(name, &mut event.name).ok()?;
    }

    let _ = EVENTS.output_untyped::<Event>(&event, 0);
    // SAFETY: the name ends with a zero byte, which %s stops at.
    unsafe {
        bpf_printk!(
            c"pid=%d enter dirfd=%d name=%s",
            pid,
            dirfd,
            event.name.as_ptr()
        )
    };
    Some(())
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
#[kretprobe]
pub fn hello_exit(ctx: RetProbeContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let ret: i32 = ctx.ret();

    let event = Event {
        pid,
        kind: EXIT,
        value: ret,
        name: [0; 64],
    };
    let _ = EVENTS.output_untyped::<Event>(&event, 0);
    // SAFETY: the format takes two integers, and gets two.
    unsafe { bpf_printk!(c"pid=%d exit ret=%d", pid, ret) };
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
