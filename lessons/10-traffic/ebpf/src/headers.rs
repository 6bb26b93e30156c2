//! Numbers in the headers of packets. In C, `vmlinux.h` has them.

use network_types::ip::IpProto;

pub const ETH_P_IP: u16 = 0x0800;
pub const ETH_P_IPV6: u16 = 0x86dd;

pub const TCP: u8 = IpProto::Tcp as u8;
pub const UDP: u8 = IpProto::Udp as u8;

/// In the 14th byte of a TCP header.
pub const SYN: u8 = 2;
pub const ACK: u8 = 16;
