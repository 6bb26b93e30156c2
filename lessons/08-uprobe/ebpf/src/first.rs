//! Writes a line into the kernel's trace buffer for each call of getenv in the C library.

#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, bpf_probe_read_user_str_bytes},
    macros::uprobe,
    programs::ProbeContext,
};

#[uprobe]
pub fn on_getenv(ctx: ProbeContext) -> u32 {
    let Some(name) = ctx.arg::<*const u8>(0) else {
        return 0;
    };
    let mut text = [0u8; 32];
    // SAFETY: the helper checks the address, and the text always ends with a zero byte.
    unsafe {
        let _ = bpf_probe_read_user_str_bytes(name, &mut text);
        bpf_printk!(c"getenv(%s)", text.as_ptr());
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
