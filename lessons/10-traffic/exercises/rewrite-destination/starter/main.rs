//! Sends the UDP datagrams to some ports to another address and another port.

#![no_std]
#![no_main]

use core::mem::offset_of;

use aya_ebpf::{
    bindings::TC_ACT_OK,
    btf_maps::HashMap,
    macros::{btf_map, classifier},
    programs::TcContext,
};

const ETHERTYPE_IPV4: u16 = 0x0800;
const UDP: u8 = 17;

/// Version 4, and a header of five 32-bit words: one without options.
const VERSION_AND_LENGTH: u8 = 0x45;

/// The headers, one after the other.
#[repr(C, packed)]
struct Headers {
    macs: [u8; 12],
    ethertype: u16,
    version_and_length: u8,
    service_to_id: [u8; 5],
    frag_off: u16,
    ttl: u8,
    protocol: u8,
    ip_check: u16,
    source: u32,
    destination: u32,
    source_port: u16,
    destination_port: u16,
    length: u16,
    udp_check: u16,
}

/// As they are in a packet.
#[repr(C)]
struct Destination {
    address: u32,
    port: u16,
    unused: u16,
}

/// By the port that a datagram was sent to, as a number of this machine.
#[btf_map]
static FORWARD: HashMap<u16, Destination, 1024> = HashMap::new();

#[classifier]
pub fn rewrite(ctx: TcContext) -> i32 {
    let Ok(old) = ctx.load::<Headers>(0) else {
        return TC_ACT_OK;
    };
    let is_udp = old.ethertype == ETHERTYPE_IPV4.to_be()
        && old.version_and_length == VERSION_AND_LENGTH
        && old.protocol == UDP;
    // SAFETY: user space may replace the entry meanwhile, and any bytes are a destination.
    let new = unsafe { FORWARD.get(u16::from_be(old.destination_port)) };
    if let (true, Some(new)) = (is_udp, new) {
        let _ = send_to(&ctx, &old, new);
    }
    TC_ACT_OK
}

/// The address is in the header of IPv4, and the port in that of UDP.
#[inline(always)]
fn send_to(ctx: &TcContext, old: &Headers, new: &Destination) -> Result<(), i64> {
    let (ip_check, udp_check) = (
        offset_of!(Headers, ip_check),
        offset_of!(Headers, udp_check),
    );
    let (from, to) = (old.destination.into(), new.address.into());
    ctx.l3_csum_replace(ip_check, from, to, 4)?;
    let (from, to) = (old.destination_port.into(), new.port.into());
    ctx.l4_csum_replace(udp_check, from, to, 2)?;
    ctx.store(offset_of!(Headers, destination), &new.address, 0)?;
    ctx.store(offset_of!(Headers, destination_port), &new.port, 0)
}

#[panic_handler]
fn panic(_info: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

#[unsafe(link_section = "license")]
#[unsafe(no_mangle)]
static LICENSE: [u8; 13] = *b"Dual MIT/GPL\0";
