//! A uprobe shows what goes into a function of a program or library, a uretprobe what comes out,
//! and a third program what a USDT probe point tells (`point.rs`).

#![no_std]
#![no_main]

#[path = "../../src/event.rs"]
mod event;
mod point;
mod send;

use aya_ebpf::{
    helpers::bpf_copy_from_user,
    macros::{uprobe, uretprobe},
    programs::{ProbeContext, RetProbeContext},
};

use event::{ENTER, RETURN};
use send::{TEXT_ARGUMENT, read_text, send_event, start_event};

// ANCHOR: uprobe
#[uprobe]
pub fn on_enter(ctx: ProbeContext) -> u32 {
    let mut event = start_event(ENTER, read_arguments(&ctx));
    read_text(&mut event);
    send_event(&event);
    0
}

fn read_arguments(ctx: &ProbeContext) -> [u64; 3] {
    [0, 1, 2].map(|number| ctx.arg(number).unwrap_or_default())
}
// ANCHOR_END: uprobe

// ANCHOR: uretprobe
#[uretprobe]
pub fn on_return(ctx: RetProbeContext) -> u32 {
    let event = start_event(RETURN, [ctx.ret(), 0, 0]);
    send_event(&event);
    0
}
// ANCHOR_END: uretprobe

// ANCHOR: sleepable
/// May sleep until the page has been read into memory.
#[uprobe(sleepable)]
pub fn on_enter_sleepable(ctx: ProbeContext) -> u32 {
    let mut event = start_event(ENTER, read_arguments(&ctx));
    if let Some(&text) = event.values.get(TEXT_ARGUMENT.load() as usize) {
        let room = event.text.len() as u32 - 1;
        let buffer = event.text.as_mut_ptr();
        // SAFETY: the helper checks the address, and the buffer has that much room.
        event.text_error = unsafe { bpf_copy_from_user(buffer.cast(), room, text as *const _) };
    }
    send_event(&event);
    0
}
// ANCHOR_END: sleepable

/// What runs when only the way into a program and back is measured.
#[uprobe]
pub fn on_nothing(_ctx: ProbeContext) -> u32 {
    0
}

#[uretprobe]
pub fn on_nothing_return(_ctx: RetProbeContext) -> u32 {
    0
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}
