//! Headers as they lie on the wire. Their layout is the network's, not the kernel's: it is the same
//! on every machine, so no BTF and no relocation is needed.
//!
//! Every header here begins at an even address, so all is made of bytes and of 16-bit words, which
//! are big-endian. From bytes alone the compiler loads each by itself: about a tenth more
//! instructions for the firewall.

pub const ETHERTYPE_IPV4: u16 = 0x0800;
pub const ETHERTYPE_IPV6: u16 = 0x86dd;
/// 802.1Q, and 802.1ad for the outer one of two tags.
pub const ETHERTYPE_VLAN: u16 = 0x8100;
pub const ETHERTYPE_QINQ: u16 = 0x88a8;

pub const HOP_BY_HOP: u8 = 0;
pub const ICMP: u8 = 1;
pub const TCP: u8 = 6;
pub const UDP: u8 = 17;
pub const ROUTING: u8 = 43;
pub const FRAGMENT: u8 = 44;
pub const ICMPV6: u8 = 58;
pub const DESTINATION: u8 = 60;

#[repr(C)]
pub struct Ethernet {
    pub destination: [u16; 3],
    pub source: [u16; 3],
    pub ethertype: u16,
}

#[repr(C)]
pub struct Vlan {
    pub tag: u16,
    pub ethertype: u16,
}

#[repr(C)]
pub struct Ipv4 {
    /// In 32-bit words, options included: the lower half of the byte. The upper half is a 4.
    pub version_and_length: u8,
    pub service: u8,
    pub total_length: u16,
    pub id: u16,
    /// Three flags, then thirteen bits of offset.
    pub fragment: u16,
    pub ttl: u8,
    pub protocol: u8,
    pub checksum: u16,
    pub source: [u16; 2],
    pub destination: [u16; 2],
}

#[repr(C)]
pub struct Ipv6 {
    /// A 6 in the upper half.
    pub version: u8,
    pub flow: [u8; 3],
    pub payload_length: u16,
    pub next_header: u8,
    pub hop_limit: u8,
    pub source: [u16; 8],
    pub destination: [u16; 8],
}

/// How each extension header of IPv6 that is followed here begins.
#[repr(C)]
pub struct Extension {
    pub next_header: u8,
    /// In units of 8 bytes, the first 8 not counted.
    pub length: u8,
    pub data: [u8; 6],
}

#[repr(C)]
pub struct Tcp {
    pub ports: [u16; 2],
    pub sequence: [u16; 4],
    /// In 32-bit words: the upper half.
    pub length: u8,
    pub rest: [u8; 7],
}

#[repr(C)]
pub struct Udp {
    pub source: u16,
    pub destination: u16,
    pub length: u16,
    pub checksum: u16,
}

#[repr(C)]
pub struct Icmp {
    pub kind: u8,
    pub code: u8,
    pub checksum: u16,
    pub rest: [u8; 4],
}
