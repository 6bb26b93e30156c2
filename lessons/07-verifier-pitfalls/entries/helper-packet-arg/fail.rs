#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    btf_maps::RingBuf,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// Length of the header.
const ETHERNET: usize = 14;

#[btf_map]
static HEADERS: RingBuf<(), 4096> = RingBuf::new();

#[xdp]
pub fn helper_packet_arg(ctx: XdpContext) -> u32 {
    if ctx.data() + ETHERNET > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: the packet is at least this long.
    let header = unsafe { &*(ctx.data() as *const [u8; ETHERNET]) };
    // The bytes are there, but this helper does not read from packets.
    let _ = HEADERS.output_untyped::<[u8; ETHERNET]>(header, 0);
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
