#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

trait Policy {
    fn action(&self, ctx: &XdpContext) -> u32;
}

struct Pass;
struct Drop;

impl Policy for Pass {
    fn action(&self, _ctx: &XdpContext) -> u32 {
        xdp_action::XDP_PASS
    }
}

impl Policy for Drop {
    fn action(&self, _ctx: &XdpContext) -> u32 {
        xdp_action::XDP_DROP
    }
}

#[xdp]
pub fn unknown_opcode(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel passes a valid context.
    let queue = unsafe { (*ctx.ctx).rx_queue_index };
    if queue % 2 == 0 {
        Pass.action(&ctx)
    } else {
        Drop.action(&ctx)
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
