#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::RingBuf,
    helpers::bpf_probe_read_user_str_bytes,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static FILES: RingBuf<(), 4096> = RingBuf::new();

#[kprobe(function = "do_sys_openat2")]
pub fn unreleased_ref(ctx: ProbeContext) -> u32 {
    let _ = tell(&ctx);
    0
}

fn tell(ctx: &ProbeContext) -> Result<(), i32> {
    let path = ctx.arg(1).ok_or(0)?;
    let mut opened = FILES.reserve_untyped::<[u8; 64]>(0).ok_or(0)?;
    // If this fails there is nothing to report, but the record is still reserved, and `?` returns
    // without discarding it. SAFETY: the helper checks the address, and writes no more than the
    // array holds.
    unsafe { bpf_probe_read_user_str_bytes(path, &mut *opened.as_mut_ptr()) }?;
    opened.submit(0);
    Ok(())
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
