#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, bpf_probe_read_user},
    macros::kprobe,
    programs::ProbeContext,
};

#[kprobe(function = "do_sys_openat2")]
pub fn scalar_deref(ctx: ProbeContext) -> u32 {
    let Some(filename) = ctx.arg::<*const u8>(1) else {
        return 0;
    };
    // SAFETY: the helper takes any address, and returns an error if it cannot read there.
    let Ok(first) = (unsafe { bpf_probe_read_user(filename) }) else {
        return 0;
    };
    if first == b'/' {
        // SAFETY: the format takes no argument.
        unsafe { bpf_printk!(c"opened by an absolute path") };
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
