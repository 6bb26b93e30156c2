#![no_std]
#![no_main]

use aya_ebpf::{
    EbpfContext as _,
    bindings::BPF_F_CURRENT_CPU,
    btf_maps::RingBuf,
    helpers::bpf_get_current_pid_tgid,
    helpers::generated::bpf_perf_event_output,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static EVENTS: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn map_type_mismatch(ctx: ProbeContext) -> u32 {
    let mut pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    // This is the helper for perf buffers, and this map is a ring buffer.
    let events = (&raw const EVENTS).cast_mut().cast();
    // SAFETY: the helper reads no more bytes than there are.
    unsafe {
        bpf_perf_event_output(
            ctx.as_ptr(),
            events,
            BPF_F_CURRENT_CPU,
            (&raw mut pid).cast(),
            4,
        )
    };
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
