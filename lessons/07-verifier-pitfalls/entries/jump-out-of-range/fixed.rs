#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

const LIMITS: [u32; 4] = [64, 128, 512, 1500];

#[xdp]
pub fn jump_out_of_range(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel passes a valid context.
    let queue = unsafe { (*ctx.ctx).rx_queue_index } as usize;
    match LIMITS.get(queue) {
        Some(limit) if *limit > 1000 => xdp_action::XDP_PASS,
        _ => xdp_action::XDP_DROP,
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
