//! The headers of IPv4 and IPv6.

use network_types::ip::{IpProto, Ipv4Hdr, Ipv6Hdr};

use crate::counter::Kind;
use crate::cursor::Cursor;
use crate::packet::Packet;
use crate::transport::parse_transport;

const IPPROTO_HOPOPTS: u8 = IpProto::HopOpt as u8;
const IPPROTO_ROUTING: u8 = IpProto::Ipv6Route as u8;
const IPPROTO_FRAGMENT: u8 = IpProto::Ipv6Frag as u8;
const IPPROTO_DSTOPTS: u8 = IpProto::Ipv6Opts as u8;

/// How many extension headers of IPv6 are skipped. The verifier must see that the loop ends.
const EXTENSIONS: u32 = 4;

/// The first 8 bytes of an extension header of IPv6, with the kernel's names: network-types does
/// not have it.
#[repr(C)]
struct Ipv6OptHdr {
    nexthdr: u8,
    /// In units of 8 bytes, without the first 8.
    hdrlen: u8,
    data: [u8; 6],
}

// ANCHOR: ipv4
/// `None`: the packet is malformed.
#[inline(always)]
pub fn parse_ipv4<'a>(cursor: &mut Cursor, packet: &mut Packet<'a>) -> Option<Kind> {
    let ip: &'a mut Ipv4Hdr = cursor.take_header()?;
    let ihl = usize::from(ip.ihl()); // in bytes; the field in the header is in 32-bit words
    let tot_len = usize::from(ip.tot_len());
    if ip.version() != 4 || ihl < Ipv4Hdr::LEN || tot_len < ihl {
        return None;
    }
    cursor.limit_packet(tot_len - Ipv4Hdr::LEN)?;
    cursor.skip_bytes(ihl - Ipv4Hdr::LEN)?; // the options

    // More fragments follow, or this one does not begin at offset 0.
    let is_fragment = ip.frag_flags() & 1 != 0 || ip.frag_offset() != 0;
    let proto = ip.proto;
    packet.ipv4 = Some(ip);
    if is_fragment {
        return Some(Kind::Fragment);
    }
    parse_transport(cursor, proto, packet)
}
// ANCHOR_END: ipv4

/// `None`: the packet is malformed.
#[inline(always)]
pub fn parse_ipv6<'a>(cursor: &mut Cursor, packet: &mut Packet<'a>) -> Option<Kind> {
    let ip: &'a mut Ipv6Hdr = cursor.take_header()?;
    if ip.version() != 6 {
        return None;
    }
    cursor.limit_packet(usize::from(ip.payload_len()))?;
    let mut nexthdr = ip.next_hdr;
    packet.ipv6 = Some(ip);
    for _ in 0..EXTENSIONS {
        match nexthdr {
            IPPROTO_HOPOPTS | IPPROTO_ROUTING | IPPROTO_DSTOPTS => {
                let extension: &mut Ipv6OptHdr = cursor.take_header()?;
                nexthdr = extension.nexthdr;
                cursor.skip_bytes(usize::from(extension.hdrlen) * 8)?;
            }
            IPPROTO_FRAGMENT => return Some(Kind::Fragment),
            _ => break,
        }
    }
    parse_transport(cursor, nexthdr, packet)
}
