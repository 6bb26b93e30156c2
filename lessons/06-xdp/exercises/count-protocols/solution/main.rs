//! Counts packets by the protocol that their IP header names.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::XDP_PASS,
    btf_maps::PerCpuArray,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_IPV6: u16 = 0x86dd;

#[repr(C)]
struct Ethernet {
    macs: [u16; 6],
    ethertype: u16,
}

#[repr(C)]
struct Ipv4 {
    before_protocol: [u8; 9],
    protocol: u8,
    checksum: u16,
    addresses: [u16; 4],
}

#[repr(C)]
struct Ipv6 {
    before_next_header: [u8; 6],
    next_header: u8,
    hop_limit: u8,
    addresses: [u16; 16],
}

/// Packets of each protocol: 6 is TCP, 17 is UDP.
#[btf_map]
static PACKETS: PerCpuArray<u64, 256> = PerCpuArray::new();

/// The number of the protocol, or `None` if it is not an IP packet.
#[inline(always)]
fn protocol_of(data: usize, end: usize) -> Option<u8> {
    let next = data + size_of::<Ethernet>();
    match u16::from_be(header::<Ethernet>(data, end)?.ethertype) {
        ETHERTYPE_IPV4 => Some(header::<Ipv4>(next, end)?.protocol),
        ETHERTYPE_IPV6 => Some(header::<Ipv6>(next, end)?.next_header),
        _ => None,
    }
}

/// The header that begins here, or `None` if the frame ends before it does.
#[inline(always)]
fn header<'a, T>(at: usize, end: usize) -> Option<&'a T> {
    // SAFETY: the header is inside the frame, and any bytes make one.
    (at + size_of::<T>() <= end).then(|| unsafe { &*(at as *const T) })
}

#[xdp]
pub fn count(ctx: XdpContext) -> u32 {
    let Some(protocol) = protocol_of(ctx.data(), ctx.data_end()) else {
        return XDP_PASS;
    };
    if let Some(packets) = PACKETS.get_ptr_mut(protocol.into()) {
        // SAFETY: this counter belongs to this CPU.
        unsafe { *packets += 1 };
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
