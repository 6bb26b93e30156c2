#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::{helpers::generated::bpf_loop, macros::kprobe, programs::ProbeContext};

extern "C" fn add(index: u32, sum: *mut u64) -> i64 {
    // SAFETY: `bpf_loop` passes the address of `sum`.
    unsafe { *sum += u64::from(index) };
    0
}

#[kprobe(function = "do_nanosleep")]
pub fn callbacks(_ctx: ProbeContext) -> u32 {
    let mut sum = 0u64;
    // SAFETY: `add` has the type of such a callback.
    unsafe { bpf_loop(10, add as *mut c_void, (&raw mut sum).cast(), 0) };
    u32::from(sum == 45)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
