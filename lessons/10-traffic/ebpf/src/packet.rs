//! The addresses and ports of a packet. `load` copies bytes out of it, wherever they are: parts of
//! a large packet are not in `data`.

use aya_ebpf::programs::TcContext;
use network_types::eth::EthHdr;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};

use crate::endpoint::Endpoint;
use crate::headers::{ACK, ETH_P_IP, ETH_P_IPV6, SYN, TCP, UDP};

/// One end of a connection, in network order. IPv4 is in the form of IPv6: `::ffff:10.0.0.1`.
#[derive(Clone, Copy, Eq, PartialEq)]
#[repr(C)]
pub struct Peer {
    pub address: [u32; 4],
    pub port: u16,
}

pub struct Packet {
    pub is_ipv4: bool,
    pub protocol: u8,
    /// Where the TCP or UDP header begins.
    pub transport: usize,
    pub source: Peer,
    pub destination: Peer,
    /// The first segment of a connection, or any datagram.
    pub starts_connection: bool,
}

impl Packet {
    /// The endpoint's address of the packet's family.
    #[inline(always)]
    pub fn peer_at(&self, endpoint: &Endpoint) -> Peer {
        let (ipv4, port) = (self.is_ipv4, endpoint.port);
        let address = if ipv4 { endpoint.ipv4 } else { endpoint.ipv6 };
        Peer { address, port }
    }
}

// ANCHOR: parse
/// `None`: not TCP or UDP, or a fragment. Only the first fragment of a packet has ports.
#[inline(always)]
pub fn parse_packet(ctx: &TcContext) -> Option<Packet> {
    let mut packet = match u16::from_be(ctx.load(12).ok()?) {
        ETH_P_IP => parse_ipv4(ctx)?,
        ETH_P_IPV6 => parse_ipv6(ctx)?,
        _ => return None,
    };
    packet.starts_connection = match packet.protocol {
        TCP => ctx.load::<u8>(packet.transport + 13).ok()? & (SYN | ACK) == SYN,
        UDP => true,
        _ => return None,
    };
    [packet.source.port, packet.destination.port] = ctx.load(packet.transport).ok()?;
    Some(packet)
}
// ANCHOR_END: parse

#[inline(always)]
fn parse_ipv4(ctx: &TcContext) -> Option<Packet> {
    let ip: Ipv4Hdr = ctx.load(EthHdr::LEN).ok()?;
    let is_fragment = u16::from_be_bytes(ip.frags) & 0x3fff != 0;
    let mapped = |address| [0, 0, 0xffff_u32.to_be(), u32::from_ne_bytes(address)];
    let peer = |address| new_peer(mapped(address));
    (!is_fragment).then(|| Packet {
        is_ipv4: true,
        protocol: ip.proto,
        transport: EthHdr::LEN + usize::from(ip.ihl()),
        source: peer(ip.src_addr),
        destination: peer(ip.dst_addr),
        starts_connection: false,
    })
}

/// A packet with extension headers is no TCP or UDP here.
#[inline(always)]
fn parse_ipv6(ctx: &TcContext) -> Option<Packet> {
    // The two addresses, after 8 bytes.
    let [source, destination] = ctx.load(EthHdr::LEN + 8).ok()?;
    Some(Packet {
        is_ipv4: false,
        protocol: ctx.load(EthHdr::LEN + 6).ok()?,
        transport: EthHdr::LEN + Ipv6Hdr::LEN,
        source: new_peer(source),
        destination: new_peer(destination),
        starts_connection: false,
    })
}

#[inline(always)]
fn new_peer(address: [u32; 4]) -> Peer {
    Peer { address, port: 0 }
}
