#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    btf_maps::PerCpuArray,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[btf_map]
static BY_CLASS: PerCpuArray<[u64; 64], 1> = PerCpuArray::new();

#[xdp]
pub fn map_value_bounds(ctx: XdpContext) -> u32 {
    let Some(counters) = BY_CLASS.get_ptr_mut(0) else {
        return XDP_PASS;
    };
    if ctx.data() + 34 > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: the packet is at least 34 bytes long.
    let service = unsafe { *(ctx.data() as *const u8).add(15) };
    // SAFETY: the value lives as long as the map, and no other CPU has it.
    let counters = unsafe { &mut *counters };
    // A byte shifted by two is less than 64. The compiler knows that too: no panic is left.
    counters[usize::from(service >> 2)] += 1;
    XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
