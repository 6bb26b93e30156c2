#![no_std]
#![no_main]

use aya_ebpf::{helpers::bpf_printk, macros::kprobe, programs::ProbeContext};

#[kprobe(function = "do_nanosleep")]
pub fn uninit_reg(ctx: ProbeContext) -> u32 {
    let Some(mode) = ctx.arg::<i32>(1) else {
        return 0;
    };
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
