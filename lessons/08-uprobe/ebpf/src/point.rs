//! Reads the arguments of a USDT probe point from where the note in the file says that they are.

use aya_ebpf::{
    Global,
    helpers::{bpf_probe_read_kernel, bpf_probe_read_user},
    macros::uprobe,
    programs::ProbeContext,
};

use crate::event::{CONSTANT, MEMORY, POINT, PointArgument, REGISTER};
use crate::send::{read_text, send_event, start_event};

// ANCHOR: usdt
/// User space reads them from the note, and sets them before it loads the program.
#[unsafe(no_mangle)]
static FIRST: Global<PointArgument> = Global::new(PointArgument::NONE);
#[unsafe(no_mangle)]
static SECOND: Global<PointArgument> = Global::new(PointArgument::NONE);
#[unsafe(no_mangle)]
static THIRD: Global<PointArgument> = Global::new(PointArgument::NONE);

/// To the kernel, a USDT probe point is a uprobe in the middle of a function.
#[uprobe]
pub fn on_point(ctx: ProbeContext) -> u32 {
    let values = [&FIRST, &SECOND, &THIRD]
        .map(|argument| read_argument(&ctx, argument.load()).unwrap_or_default());
    let mut event = start_event(POINT, values);
    read_text(&mut event);
    send_event(&event);
    0
}

fn read_argument(ctx: &ProbeContext, argument: PointArgument) -> Option<u64> {
    let raw = match argument.place {
        CONSTANT => argument.value as u64,
        REGISTER => read_register(ctx, argument.register)?,
        MEMORY => {
            let address = read_register(ctx, argument.register)?;
            let address = address.wrapping_add_signed(argument.value);
            // SAFETY: the helper checks the address.
            unsafe { bpf_probe_read_user(address as *const u64).ok()? }
        }
        _ => return None,
    };
    let shifted = raw << argument.unused_bits;
    Some(match argument.is_signed {
        0 => shifted >> argument.unused_bits,
        _ => (shifted as i64 >> argument.unused_bits) as u64,
    })
}
// ANCHOR_END: usdt

// ANCHOR: register
/// The verifier lets a program read `ctx` only at offsets that it knows; the helper reads any.
fn read_register(ctx: &ProbeContext, offset: u32) -> Option<u64> {
    // SAFETY: the helper checks the address.
    unsafe {
        let register = ctx.regs.cast::<u8>().add(offset as usize);
        bpf_probe_read_kernel(register.cast::<u64>()).ok()
    }
}
// ANCHOR_END: register
