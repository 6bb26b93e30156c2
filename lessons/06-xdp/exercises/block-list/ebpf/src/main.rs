//! Drops the UDP datagrams over IPv4 to the ports in a map.

#![no_std]
#![no_main]

use aya_ebpf::{
    bindings::xdp_action::{XDP_DROP, XDP_PASS},
    btf_maps::HashMap,
    macros::{btf_map, xdp},
    programs::XdpContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const UDP: u8 = 17;

/// Version 4, and a header of five 32-bit words: one without options.
const VERSION_AND_LENGTH: u8 = 0x45;

/// The headers up to the port, one after the other.
#[repr(C, packed)]
struct Headers {
    macs: [u8; 12],
    ethertype: u16,
    version_and_length: u8,
    service_to_ttl: [u8; 8],
    protocol: u8,
    checksum_and_addresses: [u8; 10],
    source_port: u16,
    destination_port: u16,
}

/// The ports, as numbers of this machine. The values mean nothing.
#[btf_map]
static BLOCKED: HashMap<u16, u8, 1024> = HashMap::new();

#[xdp]
pub fn filter(ctx: XdpContext) -> u32 {
    let Some(port) = udp_port(ctx.data(), ctx.data_end()) else {
        return XDP_PASS;
    };
    if BLOCKED.get_ptr(port).is_some() {
        XDP_DROP
    } else {
        XDP_PASS
    }
}

#[inline(always)]
fn udp_port(data: usize, end: usize) -> Option<u16> {
    if data + size_of::<Headers>() > end {
        return None;
    }
    // SAFETY: the headers are inside the frame, any bytes make some, and they need no alignment.
    let headers = unsafe { &*(data as *const Headers) };
    let is_udp = headers.ethertype == ETHERTYPE_IPV4.to_be()
        && headers.version_and_length == VERSION_AND_LENGTH
        && headers.protocol == UDP;
    is_udp.then_some(u16::from_be(headers.destination_port))
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
