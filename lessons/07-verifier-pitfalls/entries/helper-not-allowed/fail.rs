#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _,
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    helpers::generated::bpf_skb_load_bytes,
    macros::xdp,
    programs::XdpContext,
};

const IPV6: [u8; 2] = [0x86, 0xdd];

#[xdp]
pub fn helper_not_allowed(ctx: XdpContext) -> u32 {
    let mut kind = [0; 2];
    // SAFETY: this is the mistake, and the verifier sees it: this helper is for programs that get
    // an skb, and at this hook there is none yet.
    if unsafe { bpf_skb_load_bytes(ctx.as_ptr(), 12, kind.as_mut_ptr().cast(), 2) } < 0 {
        return XDP_PASS;
    }
    if kind == IPV6 { XDP_DROP } else { XDP_PASS }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
