//! The headers of TCP, UDP and ICMP.

use network_types::ip::IpProto;
use network_types::tcp::TcpHdr;
use network_types::udp::UdpHdr;

use crate::counter::Kind;
use crate::cursor::Cursor;
use crate::packet::Packet;

const IPPROTO_ICMP: u8 = IpProto::Icmp as u8;
const IPPROTO_TCP: u8 = IpProto::Tcp as u8;
const IPPROTO_UDP: u8 = IpProto::Udp as u8;
const IPPROTO_ICMPV6: u8 = IpProto::Ipv6Icmp as u8;

/// `None`: the packet is malformed.
#[inline(always)]
pub fn parse_transport<'a>(
    cursor: &mut Cursor,
    proto: u8,
    packet: &mut Packet<'a>,
) -> Option<Kind> {
    let left = cursor.bytes_left();
    match proto {
        IPPROTO_TCP => {
            let tcp: &mut TcpHdr = cursor.take_header()?;
            let length = usize::from(tcp.doff()) * 4;
            if length < TcpHdr::LEN || length > left {
                return None;
            }
            Some(Kind::Tcp)
        }
        IPPROTO_UDP => {
            let udp: &'a mut UdpHdr = cursor.take_header()?;
            let length = usize::from(udp.len());
            if length < UdpHdr::LEN || length > left {
                return None;
            }
            packet.udp = Some(udp);
            Some(Kind::Udp)
        }
        IPPROTO_ICMP if packet.ipv4.is_some() => {
            packet.icmp = Some(cursor.take_header()?);
            Some(Kind::Icmp)
        }
        IPPROTO_ICMPV6 if packet.ipv6.is_some() => {
            packet.icmp = Some(cursor.take_header()?);
            Some(Kind::Icmpv6)
        }
        _ => Some(Kind::Other),
    }
}
