#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, bpf_probe_read_user},
    macros::fentry,
    programs::FEntryContext,
};

#[fentry(function = "__sys_connect")]
pub fn sleepable_context(ctx: FEntryContext) -> i32 {
    let address: *const u16 = ctx.arg(1);
    // SAFETY: the helper returns an error if it cannot read there.
    if let Ok(family) = unsafe { bpf_probe_read_user(address) } {
        // SAFETY: the format takes one argument, and gets one.
        unsafe { bpf_printk!(c"connect, address family %u", u32::from(family)) };
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
