#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, generated::bpf_copy_from_user},
    macros::fentry,
    programs::FEntryContext,
};

// The program may sleep, and this kernel function is not on the list of those that allow
// it.
#[fentry(function = "__sys_connect", sleepable)]
pub fn sleepable_context(ctx: FEntryContext) -> i32 {
    let mut family = 0u16;
    // SAFETY: `family` has the size that is passed, and the helper returns an error if it cannot
    // read there.
    let failed = unsafe { bpf_copy_from_user((&raw mut family).cast(), 2, ctx.arg(1)) };
    if failed == 0 {
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
