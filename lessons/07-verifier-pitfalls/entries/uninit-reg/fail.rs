#![no_std]
#![no_main]

use core::ffi::c_void;

use aya_ebpf::helpers::bpf_printk;

/// A kprobe does not get the arguments of the function it watches: it gets the registers.
#[unsafe(link_section = "kprobe/do_nanosleep")]
#[unsafe(no_mangle)]
extern "C" fn uninit_reg(_sleeper: *const c_void, mode: i32) -> u32 {
    if mode == 0 {
        // SAFETY: the format takes no argument.
        unsafe { bpf_printk!(c"sleeps until a point in time") };
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
