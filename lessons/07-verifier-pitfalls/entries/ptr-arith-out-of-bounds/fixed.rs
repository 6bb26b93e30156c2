#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_OK,
    btf_maps::Array,
    macros::{btf_map, classifier},
    programs::TcContext,
};

#[btf_map]
static SEEN: Array<[u8; 16], 1> = Array::new();

#[classifier]
pub fn ptr_arith_out_of_bounds(ctx: TcContext) -> i32 {
    let Some(seen) = SEEN.get_ptr_mut(0) else {
        return TC_ACT_OK;
    };
    // SAFETY: the kernel passes a valid context.
    let skb = unsafe { &*ctx.skb.skb };
    let priority = skb.priority.min(15);
    // SAFETY: the index is at most 15, and the value lives as long as the map.
    unsafe { *seen.cast::<u8>().add(priority as usize) = 1 };
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
