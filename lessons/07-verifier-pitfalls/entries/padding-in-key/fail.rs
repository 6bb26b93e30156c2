#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::HashMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[repr(C)]
struct Key {
    queue: u8,
    interface: u16,
}

#[btf_map]
static COUNTERS: HashMap<Key, u64, 64> = HashMap::new();

#[xdp]
pub fn padding_in_key(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel passes a valid context.
    let xdp = unsafe { &*ctx.ctx };
    // The byte between the two fields is part of the key too.
    let key = Key {
        queue: xdp.rx_queue_index as u8,
        interface: xdp.ingress_ifindex as u16,
    };
    if let Some(counter) = COUNTERS.get_ptr_mut(&key) {
        // SAFETY: the pointer is not null, and the value lives as long as the map.
        unsafe { *counter += 1 };
    }
    xdp_action::XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
