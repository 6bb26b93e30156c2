#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action,
    btf_maps::PerCpuArray,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[btf_map]
static PACKETS: PerCpuArray<u64, 1> = PerCpuArray::new();

#[xdp]
pub fn atomic_result(_ctx: XdpContext) -> u32 {
    let Some(counter) = PACKETS.get_ptr_mut(0) else {
        return xdp_action::XDP_PASS;
    };
    // SAFETY: the pointer is not null, and each CPU has its own counter: no other CPU adds to this
    // one.
    let before = unsafe {
        *counter += 1;
        *counter - 1
    };
    if before < 1000 {
        xdp_action::XDP_PASS
    } else {
        xdp_action::XDP_DROP
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
