#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{__sk_buff, TC_ACT_OK, TC_ACT_SHOT},
    macros::classifier,
    programs::TcContext,
};

#[inline(never)]
fn sum(skb: &__sk_buff) -> u32 {
    skb.cb.iter().sum()
}

#[classifier]
pub fn ctx_modified(ctx: TcContext) -> i32 {
    // SAFETY: the kernel passes a valid context.
    if sum(unsafe { &*ctx.skb.skb }) == 0 {
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
