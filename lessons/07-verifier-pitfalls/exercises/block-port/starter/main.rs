//! Drops UDP datagrams to blocked ports, and counts them.
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
    btf_maps::HashMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const UDP: u8 = 17;

#[repr(C)]
struct Ethernet {
    addresses: [u16; 6],
    ethertype: u16,
}

#[repr(C)]
struct Ipv4 {
    /// In 32-bit words, options included: the lower half of the byte.
    version_and_length: u8,
    service: u8,
    length_and_id: [u16; 2],
    /// Three flags, then thirteen bits of offset.
    fragment: u16,
    ttl: u8,
    protocol: u8,
    checksum: u16,
    addresses: [u16; 4],
}

#[repr(C)]
struct Udp {
    source: u16,
    destination: u16,
    length: u16,
    checksum: u16,
}

/// A blocked port, and how many datagrams to it were dropped.
#[btf_map]
static BLOCKED: HashMap<u16, u64, 64> = HashMap::new();

#[xdp]
pub fn block(ctx: XdpContext) -> u32 {
    let (data, end) = (ctx.data(), ctx.data_end());
    // The frame has room for all three headers.
    if data + size_of::<Ethernet>() + size_of::<Ipv4>() + size_of::<Udp>() > end {
        return XDP_PASS;
    }
    // SAFETY: both are inside the frame.
    let (ethernet, ip) = unsafe {
        (
            &*(data as *const Ethernet),
            &*((data + size_of::<Ethernet>()) as *const Ipv4),
        )
    };
    let words = ip.version_and_length & 0x0f;
    if u16::from_be(ethernet.ethertype) != ETHERTYPE_IPV4 || ip.protocol != UDP || words < 5 {
        return XDP_PASS;
    }
    // Only the first fragment of a datagram has the ports.
    if u16::from_be(ip.fragment) & 0x1fff != 0 {
        return XDP_PASS;
    }
    // With options, the header is longer than `Ipv4`.
    let udp = data + size_of::<Ethernet>() + usize::from(words) * 4;
    // SAFETY: it is inside the frame too.
    let port = u16::from_be(unsafe { (*(udp as *const Udp)).destination });
    let Some(dropped) = BLOCKED.get_ptr_mut(port) else {
        return XDP_PASS;
    };
    // SAFETY: the pointer is not null, and the value stays valid while the program runs; other CPUs
    // may add to it too.
    unsafe { atomic_xadd::<u64, u64, { Relaxed }>(dropped, 1) };
    XDP_DROP
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
