#![no_std]
#![no_main]

use core::sync::atomic::{AtomicU64, Ordering};

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[btf_map]
static PACKETS: Array<AtomicU64, 1> = Array::new();

#[xdp]
pub fn atomic_result(_ctx: XdpContext) -> u32 {
    let Some(counter) = PACKETS.get(0) else {
        return xdp_action::XDP_PASS;
    };
    // Other CPUs add to the same counter.
    let before = counter.fetch_add(1, Ordering::Relaxed);
    if before < 1000 {
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
