//! The same two programs with aya-log: the text is put together in the kernel.
//!
//! aya-log is convenient and expensive: `hello_enter` has 497 instructions here, because `info!`
//! checks the room for each part of the message. The one in `main.rs`, with a ring buffer and
//! `bpf_printk`, has 51 (counted with llvm-objdump).

#![no_std]
#![no_main]

mod filename;

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_probe_read_kernel, bpf_probe_read_kernel_str_bytes},
    macros::{kprobe, kretprobe},
    programs::{ProbeContext, RetProbeContext},
};
use aya_log_ebpf::info;

use filename::Filename;

// ANCHOR: log
#[kprobe]
pub fn hello_enter(ctx: ProbeContext) -> u32 {
    if enter(&ctx).is_some() { 0 } else { 1 }
}

fn enter(ctx: &ProbeContext) -> Option<()> {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let dirfd: i32 = ctx.arg(0)?;
    let filename: *const Filename = ctx.arg(1)?;

    let mut buffer = [0u8; 64];
    // SAFETY: as in `main.rs`.
    let name = unsafe {
        let name = bpf_probe_read_kernel(&raw const (*filename).name).ok()?;
        bpf_probe_read_kernel_str_bytes(name, &mut buffer).ok()?
    };

    // `{:x}` prints the bytes of the name in hexadecimal: aya-log leaves out a string that is not
    // UTF-8, and file names need not be.
    info!(ctx, "pid={} enter dirfd={} name={:x}", pid, dirfd, name);
    Some(())
}
// ANCHOR_END: log

#[kretprobe]
pub fn hello_exit(ctx: RetProbeContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let ret: i32 = ctx.ret();

    info!(&ctx, "pid={} exit ret={}", pid, ret);
    0
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
