//! Kernel side: says what goes into the function that removes a file, and what comes out of it.
//!
//! Each message goes two ways: through aya-log, and into the kernel's trace buffer (`trace_pipe`).
//!
//! aya-log is convenient, and dear: 481 of the 523 instructions of `hello_enter` are its `info!`,
//! which copies each part of a message behind a check of its own. With a ring buffer, as in the C
//! program and in lesson 02, it has 51, and its twin in C 55 (counted with llvm-objdump). `cargo
//! xtask bench 01` compares them as they are.

#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{
        bpf_get_current_pid_tgid, bpf_printk, bpf_probe_read_kernel,
        bpf_probe_read_kernel_str_bytes,
    },
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use aya_log_ebpf::info;

// ANCHOR: offsets
/// The start of the kernel's `struct filename`. Rust programs carry no relocations, so this offset
/// is baked in: it is right only because `name` is the first member on Linux 5.10 to 7.3. Lesson 04
/// has the way that does not depend on luck.
#[repr(C)]
struct Filename {
    name: *const u8,
}
// ANCHOR_END: offsets

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

    let mut buffer = [0u8; 64];
    // SAFETY: the helper checks the address and fails when it cannot be read; the verifier checks
    // the buffer.
    let name = unsafe {
        let name = bpf_probe_read_kernel(&raw const (*filename).name).ok()?;
        bpf_probe_read_kernel_str_bytes(name, &mut buffer).ok()?
    };

    // The name travels as hexadecimal bytes: it may be no UTF-8, and aya-log leaves out a string
    // that is not.
    info!(ctx, "pid={} enter dirfd={} name={:x}", pid, dirfd, name);
    // SAFETY: `name` is in our own buffer and ends with a zero byte, which %s stops at.
    unsafe { bpf_printk!(c"pid=%d enter dirfd=%d name=%s", pid, dirfd, name.as_ptr()) };
    Some(())
}
// ANCHOR_END: kprobe

// ANCHOR: kretprobe
#[kretprobe]
pub fn hello_exit(ctx: RetProbeContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let ret: i32 = ctx.ret();

    info!(&ctx, "pid={} exit ret={}", pid, ret);
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
