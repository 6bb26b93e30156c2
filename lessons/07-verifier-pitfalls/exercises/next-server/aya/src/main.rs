//! Chooses one of eight servers for each frame, by its source address, from those that are up.
// TODO: the verifier rejects this program. It does the right thing; make it load.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    btf_maps::Array,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;

/// The headers of Ethernet and IPv4.
#[repr(C)]
struct Headers {
    macs: [u16; 6],
    ethertype: u16,
    before_source: [u16; 6],
    source: [u8; 4],
    destination: [u8; 4],
}

#[repr(C)]
struct Server {
    /// 1 or 0; user space sets it.
    up: u64,
    /// For which it was chosen.
    frames: u64,
}

const SERVERS_MAX: u32 = 8;

#[btf_map]
static SERVERS: Array<Server, { SERVERS_MAX as usize }> = Array::new();

#[xdp]
pub fn choose(ctx: XdpContext) -> u32 {
    if ctx.data() + size_of::<Headers>() > ctx.data_end() {
        return XDP_PASS;
    }
    // SAFETY: they are inside the frame.
    let headers = unsafe { &*(ctx.data() as *const Headers) };
    if u16::from_be(headers.ethertype) != ETHERTYPE_IPV4 {
        return XDP_PASS;
    }
    let mut number = u32::from_be_bytes(headers.source) % SERVERS_MAX;
    // If that one is down, the next takes over; the first comes after the last.
    while let Some(server) = SERVERS.get_ptr_mut(number) {
        // SAFETY: the pointer is not null, and the value stays valid while the program runs; other
        // CPUs may add to it too.
        unsafe {
            if (*server).up != 0 {
                atomic_xadd::<u64, u64, { Relaxed }>(&raw mut (*server).frames, 1);
                return XDP_PASS;
            }
        }
        number = (number + 1) % SERVERS_MAX;
    }
    XDP_DROP
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
