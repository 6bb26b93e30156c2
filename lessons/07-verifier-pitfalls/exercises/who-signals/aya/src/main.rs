//! Reports who sends which signal to whom.
// TODO: the verifier rejects this program. It does the right thing; make it load.

#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, tracepoint},
    programs::TracePointContext,
};

/// Where the arguments of kill(2) are; the tracepoint's `format` file says so.
const TARGET: usize = 16;
const NUMBER: usize = 24;

#[repr(C)]
struct Signal {
    sender: u32,
    target: i32,
    number: i32,
}

#[btf_map]
static SIGNALS: RingBuf<(), { 64 * 1024 }> = RingBuf::new();

#[tracepoint]
pub fn on_kill(ctx: TracePointContext) -> u32 {
    // SAFETY: both are inside this tracepoint's record.
    let (Ok(target), Ok(number)) = (unsafe { (ctx.read_at(TARGET), ctx.read_at(NUMBER)) }) else {
        return 0;
    };
    let Some(mut signal) = SIGNALS.reserve_untyped::<Signal>(0) else {
        return 0;
    };
    signal.write(Signal {
        sender: (bpf_get_current_pid_tgid() >> 32) as u32,
        target,
        number,
    });
    // Signal 0 is not sent: it only asks whether the process exists.
    if number == 0 {
        return 0;
    }
    signal.submit(0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
