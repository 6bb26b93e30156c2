//! Where a packet comes from and goes to.

use crate::packet::Packet;

/// One of the two, or neither if it is not an IP packet.
pub struct Address<'a> {
    pub ipv4: Option<&'a [u8; 4]>,
    pub ipv6: Option<&'a [u8; 16]>,
}

#[inline(always)]
pub fn find_source<'a>(packet: &'a Packet<'_>) -> Address<'a> {
    Address {
        ipv4: packet.ipv4.as_ref().map(|ip| &ip.src_addr),
        ipv6: packet.ipv6.as_ref().map(|ip| &ip.src_addr),
    }
}

#[inline(always)]
pub fn find_destination<'a>(packet: &'a Packet<'_>) -> Address<'a> {
    Address {
        ipv4: packet.ipv4.as_ref().map(|ip| &ip.dst_addr),
        ipv6: packet.ipv6.as_ref().map(|ip| &ip.dst_addr),
    }
}
