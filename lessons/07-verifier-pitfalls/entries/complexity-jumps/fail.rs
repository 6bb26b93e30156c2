#![no_std]
#![no_main]

use aya_ebpf::{bindings::TC_ACT_OK, macros::classifier, programs::TcContext};

#[classifier]
pub fn complexity_jumps(ctx: TcContext) -> i32 {
    let (mut byte, end) = (ctx.data() as *const u8, ctx.data_end() as *const u8);
    let mut lines = 0;
    // Nothing says how long a packet may be.
    loop {
        let next = byte.wrapping_add(1);
        if next > end {
            break;
        }
        // SAFETY: the byte is before the end of the packet.
        if unsafe { *byte } == b'\n' {
            lines += 1;
        }
        byte = next;
    }
    ctx.set_mark(lines);
    TC_ACT_OK
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
