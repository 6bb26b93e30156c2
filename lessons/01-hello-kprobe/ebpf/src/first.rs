//! Writes a line into the kernel's trace buffer for each file that is removed.

#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_get_current_pid_tgid, bpf_printk},
    macros::kprobe,
    programs::ProbeContext,
};

#[kprobe]
pub fn on_unlink(_ctx: ProbeContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: the format takes one integer, and gets one.
    unsafe { bpf_printk!(c"process %d removes a file", pid) };
    0
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
