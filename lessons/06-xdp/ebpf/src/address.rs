//! Where a packet comes from and goes to.

use crate::packet::Packet;

/// One of the two, or neither if it is not an IP packet.
pub struct Address {
    pub ipv4: Option<[u8; 4]>,
    pub ipv6: Option<[u8; 16]>,
}

#[inline(always)]
pub fn find_source(packet: &Packet<'_>) -> Address {
    Address {
        ipv4: packet.ipv4.as_ref().map(|ip| ip.src_addr),
        ipv6: packet.ipv6.as_ref().map(|ip| ip.src_addr),
    }
}

#[inline(always)]
pub fn find_destination(packet: &Packet<'_>) -> Address {
    Address {
        ipv4: packet.ipv4.as_ref().map(|ip| ip.dst_addr),
        ipv6: packet.ipv6.as_ref().map(|ip| ip.dst_addr),
    }
}
