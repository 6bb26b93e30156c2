#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    macros::cgroup_skb,
    programs::SkBuffContext,
};

#[cgroup_skb(ingress)]
pub fn return_range(ctx: SkBuffContext) -> i32 {
    // The return values of a tc program. Here 0 means drop, and 1 means pass.
    if ctx.len() > 1500 {
        TC_ACT_SHOT
    } else {
        TC_ACT_OK
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
