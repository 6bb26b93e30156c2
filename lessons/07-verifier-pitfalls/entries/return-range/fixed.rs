#![no_std]
#![no_main]

use aya_ebpf::{macros::cgroup_skb, programs::SkBuffContext};

const DROP: i32 = 0;
const PASS: i32 = 1;

#[cgroup_skb(ingress)]
pub fn return_range(ctx: SkBuffContext) -> i32 {
    if ctx.len() > 1500 { DROP } else { PASS }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
