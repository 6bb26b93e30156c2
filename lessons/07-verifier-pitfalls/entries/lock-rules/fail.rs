#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::{bpf_spin_lock as SpinLock, xdp_action},
    btf_maps::Array,
    helpers::generated::{bpf_spin_lock, bpf_spin_unlock},
    macros::{btf_map, xdp},
    programs::XdpContext,
};

#[repr(C)]
struct Bucket {
    lock: SpinLock,
    tokens: u32,
}

#[btf_map]
static BUCKETS: Array<Bucket, 1> = Array::new();

#[xdp]
pub fn lock_rules(_ctx: XdpContext) -> u32 {
    let Some(bucket) = BUCKETS.get_ptr_mut(0) else {
        return xdp_action::XDP_PASS;
    };
    // SAFETY: the pointer is not null, and the value lives as long as the map.
    unsafe {
        bpf_spin_lock(&raw mut (*bucket).lock);
        if (*bucket).tokens == 0 {
            // This return keeps the lock.
            return xdp_action::XDP_DROP;
        }
        (*bucket).tokens -= 1;
        bpf_spin_unlock(&raw mut (*bucket).lock);
    }
    xdp_action::XDP_PASS
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
