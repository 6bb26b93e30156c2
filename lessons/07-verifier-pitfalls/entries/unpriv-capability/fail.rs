#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{TC_ACT_OK, TC_ACT_SHOT},
    macros::classifier,
    programs::TcContext,
};

const ETHERNET: usize = 14;

#[classifier]
pub fn unpriv_capability(ctx: TcContext) -> i32 {
    // This reads nothing from the packet, but the answer says something about two addresses.
    if ctx.data() + ETHERNET == ctx.data_end() {
        return TC_ACT_SHOT;
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
