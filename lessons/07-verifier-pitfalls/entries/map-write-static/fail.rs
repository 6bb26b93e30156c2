#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::Array,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[btf_map]
static TOTAL: Array<u64, 1> = Array::new();

#[kprobe(function = "do_nanosleep")]
pub fn map_write_static(_ctx: ProbeContext) -> u32 {
    let total = (&raw const TOTAL).cast::<u64>().cast_mut();
    // SAFETY: this is the mistake: `TOTAL` is the map itself, the kernel's own record of it, and
    // not the number in it.
    unsafe { total.write_volatile(0) };
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
