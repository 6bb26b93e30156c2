#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    macros::{map, xdp},
    maps::Array,
    programs::XdpContext,
};

#[map]
static TABLES: Array<[u8; 64]> = Array::with_max_entries(1, 0);

#[xdp]
pub fn map_value_bounds(ctx: XdpContext) -> u32 {
    let Some(table) = TABLES.get_ptr_mut(0) else { return XDP_PASS };
    // SAFETY: the context is the kernel's own.
    let queue = unsafe { (*ctx.ctx).rx_queue_index } as usize;
    // SAFETY: it is wrong, and the verifier sees it: a queue's number may be larger than 63.
    unsafe { *table.cast::<u8>().add(queue) = 1 };
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
