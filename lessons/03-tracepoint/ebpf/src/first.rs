//! Writes a line into the kernel's trace buffer for each program that is executed.

#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_get_current_comm, bpf_get_current_pid_tgid, bpf_printk},
    macros::tracepoint,
    programs::TracePointContext,
};

#[tracepoint]
pub fn on_exec(_ctx: TracePointContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    if let Ok(name) = bpf_get_current_comm() {
        // SAFETY: the format takes an integer and a text, and the helper ended it with a zero byte.
        unsafe { bpf_printk!(c"process %d executes %s", pid, name.as_ptr()) };
    }
    0
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
