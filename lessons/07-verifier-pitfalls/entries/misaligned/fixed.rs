#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::bpf_get_current_pid_tgid,
    helpers::generated::{bpf_get_smp_processor_id, bpf_ktime_get_ns},
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static MESSAGES: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn misaligned(_ctx: ProbeContext) -> u32 {
    // SAFETY: it only reads a clock.
    let time = unsafe { bpf_ktime_get_ns() };
    // Process, time and CPU, without padding between them.
    let mut message = [0u32; 4];
    message[0] = (bpf_get_current_pid_tgid() >> 32) as u32;
    // SAFETY: 8 bytes follow the first field, and the read may be unaligned.
    unsafe {
        message
            .as_mut_ptr()
            .add(1)
            .cast::<u64>()
            .write_unaligned(time)
    };
    // SAFETY: it only returns the number of this CPU.
    message[3] = unsafe { bpf_get_smp_processor_id() };
    let _ = MESSAGES.output_untyped::<[u32; 4]>(&message, 0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
