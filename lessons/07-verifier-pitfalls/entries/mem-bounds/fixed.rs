#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::{bpf_get_current_pid_tgid, generated::bpf_ktime_get_ns},
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
struct Sleep {
    began: u64,
    process: u32,
}

#[btf_map]
static SLEEPS: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_nanosleep")]
pub fn mem_bounds(_ctx: ProbeContext) -> u32 {
    let Some(mut sleep) = SLEEPS.reserve_untyped::<Sleep>(0) else {
        return 0;
    };
    // SAFETY: it only reads a clock.
    let began = unsafe { bpf_ktime_get_ns() };
    sleep.write(Sleep {
        began,
        process: (bpf_get_current_pid_tgid() >> 32) as u32,
    });
    sleep.submit(0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
