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
    // The size of a pointer, not of what it points to.
    let Some(mut bytes) = SLEEPS.reserve_bytes(size_of::<*mut Sleep>(), 0) else {
        return 0;
    };
    let sleep = bytes.as_mut_ptr().cast::<Sleep>();
    // SAFETY: this is the mistake, and the verifier sees it: only the first field was reserved.
    unsafe {
        (*sleep).began = bpf_ktime_get_ns();
        (*sleep).process = (bpf_get_current_pid_tgid() >> 32) as u32;
    }
    bytes.submit(0);
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
