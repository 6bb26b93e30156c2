//! What the parser finds in a frame.

use network_types::eth::EthHdr;
use network_types::icmp::Icmpv4Hdr;
use network_types::ip::{Ipv4Hdr, Ipv6Hdr};
use network_types::udp::UdpHdr;

/// The headers that were found. At most one of `ipv4` and `ipv6` is there.
#[derive(Default)]
pub struct Packet<'a> {
    pub eth: Option<&'a mut EthHdr>,
    pub ipv4: Option<&'a mut Ipv4Hdr>,
    pub ipv6: Option<&'a mut Ipv6Hdr>,
    pub udp: Option<&'a mut UdpHdr>,
    /// Of ICMP or of ICMPv6: their headers have the same layout.
    pub icmp: Option<&'a mut Icmpv4Hdr>,
}
