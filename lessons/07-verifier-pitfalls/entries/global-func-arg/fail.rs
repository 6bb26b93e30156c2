#![no_std]
#![no_main]

use aya_ebpf::{
    helpers::{bpf_printk, bpf_probe_read_user},
    macros::kprobe,
    programs::ProbeContext,
};

// It is exported, so the verifier checks it as if anyone could call it, with a pointer to one
// readable byte.
#[inline(never)]
#[unsafe(no_mangle)]
extern "C" fn is_absolute(path: *const u8) -> bool {
    // SAFETY: the helper checks the address.
    let first = unsafe { bpf_probe_read_user(path) };
    first == Ok(b'/')
}

#[kprobe(function = "do_sys_openat2")]
pub fn global_func_arg(ctx: ProbeContext) -> u32 {
    let Some(path) = ctx.arg::<*const u8>(1) else {
        return 0;
    };
    if is_absolute(path) {
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
