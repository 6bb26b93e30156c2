#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[repr(C)]
struct Settings {
    /// Set from user space while it writes the others.
    changing: u32,
    verdict: u32,
}

#[btf_map]
static CURRENT: Array<Settings, 1> = Array::new();

#[xdp]
pub fn infinite_loop(_ctx: XdpContext) -> u32 {
    let Some(settings) = CURRENT.get_ptr(0) else {
        return XDP_PASS;
    };
    for _ in 0..100 {
        // SAFETY: the pointer is not null, and the value lives as long as the map.
        unsafe {
            if (&raw const (*settings).changing).read_volatile() == 0 {
                return (*settings).verdict;
            }
        }
    }
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
