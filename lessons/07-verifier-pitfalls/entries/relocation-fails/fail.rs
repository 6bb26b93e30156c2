#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action, macros::xdp, programs::XdpContext};

// SAFETY: the library's function takes and returns this.
unsafe extern "C" {
    /// It is in a library, and no library is linked to the program.
    fn checksum(value: u32) -> u32;
}

#[xdp]
pub fn relocation_fails(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel passes a valid context.
    let queue = unsafe { (*ctx.ctx).rx_queue_index };
    // SAFETY: it takes any number.
    let sum = unsafe { checksum(queue) };
    if sum != 0 {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
