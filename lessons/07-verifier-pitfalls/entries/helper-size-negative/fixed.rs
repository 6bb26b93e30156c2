#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::generated::bpf_probe_read_user_str,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static OPENED: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_sys_openat2")]
pub fn helper_size_negative(ctx: ProbeContext) -> u32 {
    let Some(filename) = ctx.arg(1) else { return 0 };
    let mut name = [0u8; 64];
    // SAFETY: the array is 64 bytes long, and the helper checks the name's address.
    let length = unsafe { bpf_probe_read_user_str(name.as_mut_ptr().cast(), 64, filename) };
    let Ok(length) = usize::try_from(length) else {
        return 0;
    };
    if let Some(name) = name.get(..length) {
        let _ = OPENED.output_untyped::<[u8]>(name, 0);
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
