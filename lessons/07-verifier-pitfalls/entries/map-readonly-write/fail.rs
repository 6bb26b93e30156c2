#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{
        BPF_F_RDONLY_PROG,
        xdp_action::{XDP_DROP, XDP_PASS},
    },
    btf_maps::HashMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

/// How many packets each queue may still take. User space refills it every second.
#[btf_map]
static QUOTA: HashMap<u32, u64, 64, { BPF_F_RDONLY_PROG as usize }> = HashMap::new();

#[xdp]
pub fn map_readonly_write(ctx: XdpContext) -> u32 {
    // SAFETY: the kernel passes a valid context.
    let queue = unsafe { (*ctx.ctx).rx_queue_index };
    let Some(left) = QUOTA.get_ptr_mut(queue) else {
        return XDP_DROP;
    };
    // SAFETY: the value lives as long as the map. This is the mistake: the map's flag says that the
    // program may only read from it.
    unsafe {
        if *left == 0 {
            return XDP_DROP;
        }
        *left -= 1;
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
