#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::{
    EbpfContext as _,
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    helpers::generated::bpf_skb_load_bytes,
    macros::classifier,
    programs::TcContext,
};

#[inline(never)]
fn highest(skb: *const c_void) -> u8 {
    let mut name = [0u8; 255];
    // SAFETY: the helper writes no more than the array holds.
    if unsafe { bpf_skb_load_bytes(skb, 54, name.as_mut_ptr().cast(), 255) } < 0 {
        return 0;
    }
    name.iter().fold(0, |highest, byte| highest.max(*byte))
}

#[classifier]
pub fn stack_limit(ctx: TcContext) -> i32 {
    let mut header = [0u8; 300];
    // SAFETY: the helper writes no more than the array holds.
    if unsafe { bpf_skb_load_bytes(ctx.as_ptr(), 0, header.as_mut_ptr().cast(), 300) } < 0 {
        return TC_ACT_OK;
    }
    // Each function needs far less than 512 bytes, but both are on the stack at the same time.
    if highest(ctx.as_ptr()) > header[20] {
        TC_ACT_SHOT
    } else {
        TC_ACT_OK
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
