#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, generated::bpf_copy_from_user},
    macros::fentry,
    programs::FEntryContext,
};

// The program may sleep. This function of the kernel is not on the list of those that may be held
// up by that.
#[fentry(function = "__sys_connect", sleepable)]
pub fn sleepable_context(ctx: FEntryContext) -> i32 {
    let mut family = 0u16;
    // SAFETY: `family` has the size that is given, and the helper gives an error where there is
    // nothing to read.
    let failed = unsafe { bpf_copy_from_user((&raw mut family).cast(), 2, ctx.arg(1)) };
    if failed == 0 {
        // SAFETY: the text has one argument.
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
