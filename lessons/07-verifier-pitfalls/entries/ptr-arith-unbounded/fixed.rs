#![no_std]
#![no_main]

use aya_ebpf::{
    btf_maps::Array,
    macros::{btf_map, kprobe},
    programs::ProbeContext,
};

#[repr(C)]
struct Recent {
    next: usize,
    modes: [u8; 64],
}

#[btf_map]
static SLEEPS: Array<Recent, 1> = Array::new();

#[kprobe(function = "do_nanosleep")]
pub fn ptr_arith_unbounded(ctx: ProbeContext) -> u32 {
    let (Some(mode), Some(recent)) = (ctx.arg(1), SLEEPS.get_ptr_mut(0)) else {
        return 0;
    };
    // SAFETY: the value lives as long as the map.
    let recent = unsafe { &mut *recent };
    let next = if recent.next >= 64 { 0 } else { recent.next };
    recent.modes[next] = mode;
    recent.next = next + 1;
    0
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
