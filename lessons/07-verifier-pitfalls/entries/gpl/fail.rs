#![no_std]
#![no_main]

use aya_ebpf::{bpf_printk, macros::kprobe, programs::ProbeContext};

#[kprobe(function = "do_nanosleep")]
pub fn gpl(_ctx: ProbeContext) -> u32 {
    // SAFETY: the format takes no argument.
    unsafe { bpf_printk!(c"going to sleep") };
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

// This is how source files name licences. The kernel has a different list.
#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"GPL-2.0-only\0";
