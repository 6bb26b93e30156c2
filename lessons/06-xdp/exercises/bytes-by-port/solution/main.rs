//! Adds up the bytes of UDP datagrams over IPv4, by destination port.

#![no_std]
#![no_main]
#![feature(core_intrinsics)]
#![expect(
    internal_features,
    reason = "Rust has no other atomic addition for eBPF"
)]

use core::intrinsics::{AtomicOrdering::Relaxed, atomic_xadd};

use aya_ebpf::{
    bindings::{BPF_NOEXIST, xdp_action::XDP_PASS},
    btf_maps::HashMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const ETHERTYPE_VLAN: u16 = 0x8100;
const UDP: u8 = 17;

#[repr(C)]
struct Ethernet {
    macs: [u16; 6],
    ethertype: u16,
}

#[repr(C)]
struct Vlan {
    tag: u16,
    ethertype: u16,
}

#[repr(C)]
struct Ipv4 {
    /// In 32-bit words: the lower half of the byte.
    version_and_length: u8,
    service: u8,
    total_length: u16,
    id_and_fragment: [u16; 2],
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

/// A port, and the bytes of the packets for it, each with its IPv4 header.
#[btf_map]
static BYTES: HashMap<u16, u64, 65536> = HashMap::new();

#[xdp]
pub fn add_up(ctx: XdpContext) -> u32 {
    if let Some((port, bytes)) = datagram(ctx.data(), ctx.data_end()) {
        add(port, bytes.into());
    }
    XDP_PASS
}

/// The destination port of a datagram, and its length.
#[inline(always)]
fn datagram(data: usize, end: usize) -> Option<(u16, u16)> {
    let mut next = data + size_of::<Ethernet>();
    let mut ethertype = header::<Ethernet>(data, end)?.ethertype;
    // A VLAN tag may come first.
    if ethertype == ETHERTYPE_VLAN.to_be() {
        ethertype = header::<Vlan>(next, end)?.ethertype;
        next += size_of::<Vlan>();
    }
    if ethertype != ETHERTYPE_IPV4.to_be() {
        return None;
    }
    let ip = header::<Ipv4>(next, end)?;
    if ip.protocol != UDP {
        return None;
    }
    let udp = header::<Udp>(next + usize::from(ip.version_and_length & 0x0f) * 4, end)?;
    Some((u16::from_be(udp.destination), u16::from_be(ip.total_length)))
}

#[inline(always)]
fn header<'a, T>(at: usize, end: usize) -> Option<&'a T> {
    // SAFETY: the header is inside the frame, and any bytes make one.
    (at + size_of::<T>() <= end).then(|| unsafe { &*(at as *const T) })
}

#[inline(always)]
fn add(port: u16, bytes: u64) {
    // Frames arrive on several CPUs: one inserts the entry, and all find it after that.
    let _ = BYTES.insert(port, 0, BPF_NOEXIST.into());
    if let Some(sum) = BYTES.get_ptr_mut(port) {
        // SAFETY: the pointer is not null, and the value stays valid while the program runs.
        unsafe { atomic_xadd::<u64, u64, { Relaxed }>(sum, bytes) };
    }
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
