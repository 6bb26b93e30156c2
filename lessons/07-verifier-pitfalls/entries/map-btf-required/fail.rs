#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{bpf_spin_lock, xdp_action::XDP_PASS},
    helpers::generated,
    macros::{map, xdp},
    maps::Array,
    programs::XdpContext,
};

#[repr(C)]
pub struct Traffic {
    lock: bpf_spin_lock,
    packets: u64,
    bytes: u64,
}

// For such a map the kernel gets only the sizes, and they do not say that the value contains a
// lock: it needs the type.
#[map]
static TOTAL: Array<Traffic> = Array::with_max_entries(1, 0);

#[xdp]
pub fn map_btf_required(ctx: XdpContext) -> u32 {
    let bytes = (ctx.data_end() - ctx.data()) as u64;
    let Some(traffic) = TOTAL.get_ptr_mut(0) else {
        return XDP_PASS;
    };
    // SAFETY: the value lives as long as the map, and only one CPU at a time has its lock.
    unsafe {
        generated::bpf_spin_lock(&raw mut (*traffic).lock);
        (*traffic).packets += 1;
        (*traffic).bytes += bytes;
        generated::bpf_spin_unlock(&raw mut (*traffic).lock);
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
