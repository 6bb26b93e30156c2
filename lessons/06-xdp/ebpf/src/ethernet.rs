//! The Ethernet header and VLAN tags. From here, the parser goes on to IP.

use network_types::eth::{EthHdr, EtherType};
use network_types::vlan::VlanHdr;

use crate::counter::Kind;
use crate::cursor::Cursor;
use crate::ip::{parse_ipv4, parse_ipv6};
use crate::packet::Packet;

// These have the high byte first, as they are in the frame.
const ETH_P_IP: u16 = EtherType::Ipv4 as u16;
const ETH_P_IPV6: u16 = EtherType::Ipv6 as u16;
const ETH_P_8021Q: u16 = EtherType::Ieee8021q as u16;
const ETH_P_8021AD: u16 = EtherType::Ieee8021ad as u16;

// ANCHOR: parse
/// The Ethernet header and up to two VLAN tags. Returns the type of what follows.
#[inline(always)]
fn parse_ethernet<'a>(cursor: &mut Cursor, packet: &mut Packet<'a>) -> Option<u16> {
    let eth: &'a mut EthHdr = cursor.take_header()?;
    let mut h_proto = eth.ether_type;
    packet.eth = Some(eth);
    for _ in 0..2 {
        if h_proto == ETH_P_8021Q || h_proto == ETH_P_8021AD {
            let vlan: &mut VlanHdr = cursor.take_header()?;
            h_proto = vlan.ether_type;
        }
    }
    Some(h_proto)
}

/// Fills `packet` with the headers of the frame.
#[inline(always)]
pub fn parse_packet<'a>(data: usize, end: usize, packet: &mut Packet<'a>) -> Kind {
    let mut cursor = Cursor::new(data, end);
    match parse_ethernet(&mut cursor, packet) {
        Some(ETH_P_IP) => parse_ipv4(&mut cursor, packet).unwrap_or(Kind::Malformed),
        Some(ETH_P_IPV6) => parse_ipv6(&mut cursor, packet).unwrap_or(Kind::Malformed),
        Some(_) => Kind::Other,
        None => Kind::Malformed,
    }
}
// ANCHOR_END: parse
