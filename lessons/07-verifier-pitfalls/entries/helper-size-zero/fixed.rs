#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::TC_ACT_OK,
    btf_maps::RingBuf,
    macros::{btf_map, classifier},
    programs::TcContext,
};

/// Length of the header.
const ETHERNET: u32 = 14;

#[btf_map]
static HEADS: RingBuf<(), 4096> = RingBuf::new();

#[classifier]
pub fn helper_size_zero(ctx: TcContext) -> i32 {
    let mut head = [0; 64];
    if ctx.len() < ETHERNET {
        return TC_ACT_OK;
    }
    if ctx.load_bytes(0, &mut head).is_ok() {
        let _ = HEADS.output_untyped::<[u8]>(head.as_slice(), 0);
    }
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
