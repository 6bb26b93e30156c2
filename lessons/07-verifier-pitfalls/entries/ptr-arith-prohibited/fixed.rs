#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};

/// Lengths of headers.
const ETHERNET: usize = 14;
const IPV4: usize = 20;
/// Offset in the IPv4 header.
const PROTOCOL: usize = 9;
const ICMP: u8 = 1;

#[xdp]
pub fn ptr_arith_prohibited(ctx: XdpContext) -> u32 {
    if ctx.data() + ETHERNET + IPV4 > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: the packet is at least as long as both headers.
    let protocol = unsafe { *((ctx.data() + ETHERNET + PROTOCOL) as *const u8) };
    if protocol == ICMP { XDP_DROP } else { XDP_PASS }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
