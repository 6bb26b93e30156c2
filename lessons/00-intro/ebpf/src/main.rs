//! The smallest eBPF program. It lets every network packet pass.

#![no_std]
#![no_main]

use aya_ebpf::{bindings::xdp_action::XDP_PASS, macros::xdp, programs::XdpContext};

// ANCHOR: program
#[xdp]
pub fn intro(_ctx: XdpContext) -> u32 {
    XDP_PASS
}
// ANCHOR_END: program

// ANCHOR: licence
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
// ANCHOR_END: licence

// ANCHOR: panic
#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
// ANCHOR_END: panic
