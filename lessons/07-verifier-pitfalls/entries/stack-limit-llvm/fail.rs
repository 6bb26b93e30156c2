#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::{Array, RingBuf},
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
#[derive(Clone, Copy)]
struct Event {
    id: u64,
    path: [u8; 592],
}

#[btf_map]
static EVENTS: Array<Event, 1> = Array::new();

#[btf_map]
static RING: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn stack_limit_llvm(_ctx: ProbeContext) -> u32 {
    if let Some(event) = EVENTS.get(0) {
        // A copy of 600 bytes, and the whole stack has 512.
        let mut event = *event;
        event.id = bpf_get_current_pid_tgid();
        let _ = RING.output_untyped::<Event>(&event, 0);
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
