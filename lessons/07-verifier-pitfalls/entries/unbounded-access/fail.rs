#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[btf_map]
static QUEUES: Array<[u8; 64], 1> = Array::new();

#[xdp]
pub fn unbounded_access(ctx: XdpContext) -> u32 {
    let Some(used) = QUEUES.get_ptr_mut(0) else {
        return XDP_PASS;
    };
    let queue = ctx.rx_queue_index() as usize;
    // SAFETY: this is the mistake, and the verifier sees it: nothing says that the number of a
    // queue is less than 64.
    unsafe { *used.cast::<u8>().add(queue) = 1 };
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
