#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::bpf_get_current_pid_tgid,
    macros::{kprobe, map},
    maps::{Array, RingBuf},
    programs::ProbeContext,
};

#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    id: u64,
    path: [u8; 592],
}

#[map]
static EVENTS: Array<Event> = Array::with_max_entries(1, 0);

#[map]
static RING: RingBuf = RingBuf::with_byte_size(4096, 0);

#[kprobe(function = "do_nanosleep")]
pub fn stack_limit_llvm(_ctx: ProbeContext) -> u32 {
    if let Some(event) = EVENTS.get(0) {
        // A copy of 600 bytes, and the whole stack has 512.
        let mut event = *event;
        event.id = bpf_get_current_pid_tgid();
        let _ = RING.output::<Event>(&event, 0);
    }
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
