#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    macros::classifier,
    programs::TcContext,
};

#[inline(never)]
fn sum(cb: &[u32; 5]) -> u32 {
    cb.iter().sum()
}

#[classifier]
pub fn ctx_modified(ctx: TcContext) -> i32 {
    // This is an address inside the context, and no longer the context.
    // SAFETY: the kernel passes a valid context.
    if sum(unsafe { &(*ctx.skb.skb).cb }) == 0 {
        TC_ACT_OK
    } else {
        TC_ACT_SHOT
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
