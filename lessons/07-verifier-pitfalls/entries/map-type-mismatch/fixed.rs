#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::bpf_get_current_pid_tgid,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static EVENTS: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn map_type_mismatch(_ctx: ProbeContext) -> u32 {
    let pid = (bpf_get_current_pid_tgid() >> 32) as u32;
    let _ = EVENTS.output_untyped::<u32>(&pid, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
