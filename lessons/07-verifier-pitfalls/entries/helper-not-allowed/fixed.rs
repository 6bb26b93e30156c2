#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    macros::xdp,
    programs::XdpContext,
};

const IPV6: [u8; 2] = [0x86, 0xdd];

#[xdp]
pub fn helper_not_allowed(ctx: XdpContext) -> u32 {
    let kind = ctx.data() + 12;
    if kind + 2 > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: the packet does not end before these two bytes do.
    let kind = unsafe { *(kind as *const [u8; 2]) };
    if kind == IPV6 { XDP_DROP } else { XDP_PASS }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
