//! Nobody may make a file setuid or setgid: whoever executes such a file gets the rights of its
//! owner or group.

#![no_std]
#![no_main]

use aya_ebpf::{macros::lsm, programs::LsmContext};

const EPERM: i32 = 1;
const S_ISUID: u16 = 0o4000;
const S_ISGID: u16 = 0o2000;

/// chmod(2) and similar calls come here, as `path_chmod(path, mode)`, with the new mode of the
/// file.
#[lsm(hook = "path_chmod")]
pub fn no_setuid(ctx: LsmContext) -> i32 {
    let (mode, previous): (u16, i32) = (ctx.arg(1), ctx.arg(2));
    if previous != 0 {
        return previous;
    }
    // TODO: deny a mode with one of the two bits.
    let _ = (mode, S_ISUID, S_ISGID, EPERM);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
