#![no_std]
#![no_main]

use aya_ebpf::{bindings::TC_ACT_OK, macros::classifier, programs::TcContext};

const PACKET_HOST: u32 = 0;

#[classifier]
pub fn ctx_access(ctx: TcContext) -> i32 {
    // The frame should count as one for this host.
    let _ = ctx.change_type(PACKET_HOST);
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
