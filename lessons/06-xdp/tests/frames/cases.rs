//! The frames of the tests, and what is expected of the programs.

use std::net::IpAddr;

use etherparse::{ArpHardwareId, ArpOperation, ArpPacket, EtherType};
use network::frame::{self, CLIENT};

use crate::program::PacketProgram;

pub const BLOCKED: [&str; 2] = ["192.0.2.0/24", "2001:db8:bad::/48"];
pub const EXCEPTION: &str = "192.0.2.7/32";
pub const REDIRECTED: u16 = 8000;

pub struct Case {
    pub name: &'static str,
    pub frame: Vec<u8>,
    pub kind: &'static str,
    pub fate: Fate,
}

/// What becomes of a frame, as far as a program can do it.
#[derive(Clone)]
pub enum Fate {
    Passed,
    Malformed,
    /// Its sender is blocked.
    Blocked,
    /// With this frame.
    Answered(Vec<u8>),
    Redirected,
}

impl Fate {
    pub fn verdict(&self, program: PacketProgram) -> &'static str {
        let has_rules = !matches!(program, PacketProgram::Parse | PacketProgram::Count);
        match self {
            Self::Malformed => "drop",
            Self::Blocked if has_rules => "drop",
            Self::Answered(_) if program == PacketProgram::Reply => "tx",
            Self::Redirected if program == PacketProgram::Redirect => "redirect",
            _ => "pass",
        }
    }
}

const PORT: u16 = 7000;

/// Where headers begin in a frame without tags.
const IP: usize = 14;
const V4_TRANSPORT: usize = IP + 20;
const V6_TRANSPORT: usize = IP + 40;

/// Extension headers of IPv6.
const HOP_BY_HOP: u8 = 0;
const FRAGMENT: u8 = 44;
const DESTINATION: u8 = 60;

pub fn all_cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for group in [followed(), fragments(), ruled(), sent(), malformed()] {
        cases.extend(group);
    }
    cases
}

/// Two frames with every header that the programs parse, to be cut at every length.
pub fn whole_frames() -> [(&'static str, Vec<u8>); 2] {
    [
        (
            "two tags, options, TCP",
            tagged(optioned(tcp("198.51.100.2")), 2),
        ),
        (
            "IPv6, extension headers, UDP",
            extended(udp("2001:db8::2"), &[HOP_BY_HOP, DESTINATION]),
        ),
    ]
}

fn followed() -> Vec<Case> {
    let [v4, v6] = [udp("198.51.100.2"), udp("2001:db8::2")];
    let extensions = [
        HOP_BY_HOP,
        DESTINATION,
        DESTINATION,
        DESTINATION,
        DESTINATION,
    ];
    vec![
        pass("TCP over IPv4", "tcp", tcp("198.51.100.2")),
        pass("UDP over IPv4", "udp", v4.clone()),
        pass("TCP over IPv6", "tcp", tcp("2001:db8::2")),
        pass("UDP over IPv6", "udp", v6.clone()),
        pass("a VLAN tag (802.1Q)", "udp", tagged(v4.clone(), 1)),
        pass("two VLAN tags (QinQ)", "udp", tagged(v6.clone(), 2)),
        pass(
            "three VLAN tags: not parsed",
            "other",
            tagged(v4.clone(), 3),
        ),
        pass("IPv4 with options", "tcp", optioned(tcp("198.51.100.2"))),
        pass(
            "IPv6 with extension headers",
            "udp",
            extended(v6.clone(), &extensions[..3]),
        ),
        pass(
            "IPv6 with five extension headers: not parsed",
            "other",
            extended(v6, &extensions),
        ),
        pass("ARP", "other", arp()),
        pass("GRE over IPv4: not parsed", "other", with(v4, IP + 9, 47)),
    ]
}

fn fragments() -> Vec<Case> {
    // The flag "more fragments", and an offset of 8 bytes.
    let first = with(udp("198.51.100.2"), IP + 6, 0x20);
    let later = with(udp("198.51.100.2"), IP + 7, 1);
    vec![
        pass("a first fragment", "fragment", first),
        pass("a later fragment: no ports to look at", "fragment", later),
        pass(
            "a fragment of IPv6",
            "fragment",
            extended(udp("2001:db8::2"), &[FRAGMENT]),
        ),
        blocked(
            "a fragment from a blocked address",
            "fragment",
            with(udp("192.0.2.1"), IP + 7, 1),
        ),
        pass(
            "a fragment of a ping: not answered",
            "fragment",
            with(ping("198.51.100.2"), IP + 6, 0x20),
        ),
    ]
}

fn ruled() -> Vec<Case> {
    let far_down = extended(udp("2001:db8:bad::1"), &[HOP_BY_HOP, DESTINATION]);
    vec![
        blocked("from 192.0.2.1: blocked", "tcp", tcp("192.0.2.1")),
        pass(
            "from 192.0.2.7: a longer prefix lets it pass",
            "tcp",
            tcp("192.0.2.7"),
        ),
        pass("from 192.0.3.1: just outside", "tcp", tcp("192.0.3.1")),
        blocked(
            "from 192.0.2.1, in two tags",
            "udp",
            tagged(udp("192.0.2.1"), 2),
        ),
        blocked(
            "from 2001:db8:bad::1, with extension headers",
            "udp",
            far_down,
        ),
        pass(
            "from 2001:db8:bae::1: just outside",
            "udp",
            udp("2001:db8:bae::1"),
        ),
        blocked(
            "a ping from 192.0.2.1: not answered",
            "icmp",
            ping("192.0.2.1"),
        ),
    ]
}

fn sent() -> Vec<Case> {
    let broadcast = with(ping("198.51.100.2"), 0, 0xff);
    let redirected = frame::udp_frame(address("198.51.100.2"), address("198.51.100.1"), REDIRECTED)
        .expect("one family");
    vec![
        answered("a ping", "icmp", "198.51.100.2"),
        answered("a ping over IPv6", "icmpv6", "2001:db8::2"),
        pass("a ping to all: not answered", "icmp", broadcast),
        pass(
            "a ping with IP options: left to the kernel",
            "icmp",
            optioned(ping("198.51.100.2")),
        ),
        pass(
            "the answer to a ping",
            "icmp",
            with(ping("198.51.100.2"), V4_TRANSPORT, 0),
        ),
        Case {
            name: "UDP to port 8000",
            frame: redirected,
            kind: "udp",
            fate: Fate::Redirected,
        },
        pass(
            "TCP to port 8000",
            "tcp",
            frame::tcp_frame(address("198.51.100.2"), address("198.51.100.1"), REDIRECTED)
                .expect("one family"),
        ),
    ]
}

fn malformed() -> Vec<Case> {
    let [v4, v6] = [udp("198.51.100.2"), udp("2001:db8::2")];
    let bare = with(with(v4.clone(), IP + 2, 0), IP + 3, 20);
    let bare_ping = with(ping("198.51.100.2"), IP + 3, 20);
    let bare_ping_v6 = with(ping("2001:db8::2"), IP + 5, 0);
    vec![
        broken("IPv4 that says it is version 5", with(v4.clone(), IP, 0x55)),
        broken("an IPv4 header of 16 bytes", with(v4.clone(), IP, 0x44)),
        broken(
            "IPv4 that says it is longer than the frame",
            with(v4.clone(), IP + 2, 1),
        ),
        broken(
            "IPv4 that is shorter than its header",
            with(v4.clone(), IP + 3, 19),
        ),
        broken("a UDP header in the padding of the frame", bare),
        broken("an ICMP header in the padding of the frame", bare_ping),
        broken("an ICMPv6 header in the padding of the frame", bare_ping_v6),
        broken(
            "UDP that is longer than its packet",
            with(v4.clone(), V4_TRANSPORT + 4, 1),
        ),
        broken(
            "UDP that is shorter than its header",
            with(v4, V4_TRANSPORT + 5, 7),
        ),
        broken(
            "a TCP header of 16 bytes",
            with(tcp("198.51.100.2"), V4_TRANSPORT + 12, 0x40),
        ),
        broken(
            "a TCP header that is longer than its packet",
            with(tcp("198.51.100.2"), V4_TRANSPORT + 12, 0xf0),
        ),
        broken("IPv6 that says it is version 4", with(v6.clone(), IP, 0x40)),
        broken(
            "IPv6 that says it is longer than the frame",
            with(v6.clone(), IP + 4, 1),
        ),
        broken(
            "an extension header that is longer than its packet",
            with(extended(v6, &[HOP_BY_HOP]), V6_TRANSPORT + 1, 255),
        ),
    ]
}

fn pass(name: &'static str, kind: &'static str, frame: Vec<u8>) -> Case {
    Case {
        name,
        frame,
        kind,
        fate: Fate::Passed,
    }
}

fn blocked(name: &'static str, kind: &'static str, frame: Vec<u8>) -> Case {
    Case {
        name,
        frame,
        kind,
        fate: Fate::Blocked,
    }
}

fn answered(name: &'static str, kind: &'static str, from: &str) -> Case {
    let sender = address(from);
    let answer = frame::ping_reply(sender, receiver(sender)).expect("one family");
    Case {
        name,
        frame: ping(from),
        kind,
        fate: Fate::Answered(answer),
    }
}

fn broken(name: &'static str, frame: Vec<u8>) -> Case {
    Case {
        name,
        frame,
        kind: "malformed",
        fate: Fate::Malformed,
    }
}

pub fn address(text: &str) -> IpAddr {
    text.parse().expect("an address")
}

fn receiver(from: IpAddr) -> IpAddr {
    address(if from.is_ipv4() {
        "198.51.100.1"
    } else {
        "2001:db8::1"
    })
}

fn udp(from: &str) -> Vec<u8> {
    let from = address(from);
    frame::udp_frame(from, receiver(from), PORT).expect("one family")
}

fn tcp(from: &str) -> Vec<u8> {
    let from = address(from);
    frame::tcp_frame(from, receiver(from), PORT).expect("one family")
}

fn ping(from: &str) -> Vec<u8> {
    let from = address(from);
    frame::ping_frame(from, receiver(from)).expect("one family")
}

fn arp() -> Vec<u8> {
    let packet = ArpPacket::new(
        ArpHardwareId::ETHERNET,
        EtherType::IPV4,
        ArpOperation::REQUEST,
        &CLIENT,
        &[198, 51, 100, 2],
        &[0; 6],
        &[198, 51, 100, 1],
    )
    .expect("its lengths are right");
    let mut frame = Vec::new();
    frame::from_client()
        .arp(packet)
        .write(&mut frame)
        .expect("memory takes all");
    frame
}

/// Puts one byte into a frame. After that the checksum of the IP header is wrong, but the programs
/// do not look at it.
fn with(mut frame: Vec<u8>, at: usize, byte: u8) -> Vec<u8> {
    frame[at] = byte;
    frame
}

/// Adds VLAN tags: of 802.1ad, and the innermost of 802.1Q.
fn tagged(mut frame: Vec<u8>, tags: u8) -> Vec<u8> {
    for number in 0..tags {
        let kind = if number == 0 {
            [0x81, 0x00]
        } else {
            [0x88, 0xa8]
        };
        frame.splice(12..12, [kind[0], kind[1], 0, 100 + number]);
    }
    frame
}

/// Adds four bytes of options, which do nothing.
fn optioned(mut frame: Vec<u8>) -> Vec<u8> {
    frame[IP] = 0x46;
    frame[IP + 3] += 4;
    frame.splice(V4_TRANSPORT..V4_TRANSPORT, [1; 4]);
    frame
}

/// Adds extension headers of eight bytes each, padded as RFC 8200 says. One for fragments makes it
/// the first fragment.
fn extended(mut frame: Vec<u8>, kinds: &[u8]) -> Vec<u8> {
    for &kind in kinds.iter().rev() {
        let next = std::mem::replace(&mut frame[IP + 6], kind);
        frame[IP + 5] += 8;
        let rest = if kind == FRAGMENT {
            [0, 0, 1, 0, 0, 0, 1]
        } else {
            [0, 1, 4, 0, 0, 0, 0]
        };
        frame.splice(
            V6_TRANSPORT..V6_TRANSPORT,
            [[next].as_slice(), &rest].concat(),
        );
    }
    frame
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use etherparse::{IpNumber, NetSlice, SlicedPacket, TransportSlice};

    use super::*;

    /// Another parser agrees on what the frames are.
    #[test]
    fn frames_are_what_their_names_say() {
        for case in followed() {
            let packet = SlicedPacket::from_ethernet(&case.frame).expect(case.name);
            match case.kind {
                "tcp" => assert!(
                    matches!(packet.transport, Some(TransportSlice::Tcp(_))),
                    "{}",
                    case.name
                ),
                "udp" => assert!(
                    matches!(packet.transport, Some(TransportSlice::Udp(_))),
                    "{}",
                    case.name
                ),
                _ => {}
            }
        }
        for case in fragments() {
            let packet = SlicedPacket::from_ethernet(&case.frame).expect(case.name);
            assert!(packet.is_ip_payload_fragmented(), "{}", case.name);
        }
    }

    #[test]
    fn options_and_extensions_are_inside() {
        let [(_, v4), (_, v6)] = whole_frames();
        let packet = SlicedPacket::from_ethernet(&v4).expect("it is right");
        assert_eq!(packet.vlan_ids().len(), 2);
        let Some(NetSlice::Ipv4(ip)) = packet.net else {
            panic!("it is IPv4")
        };
        assert_eq!(ip.header().options(), [1; 4]);
        let packet = SlicedPacket::from_ethernet(&v6).expect("it is right");
        let Some(NetSlice::Ipv6(ip)) = packet.net else {
            panic!("it is IPv6")
        };
        assert_eq!(ip.header().next_header(), IpNumber::IPV6_HEADER_HOP_BY_HOP);
        assert_eq!(ip.payload().ip_number, IpNumber::UDP);
    }

    #[test]
    fn names_differ() {
        let cases = all_cases();
        let names: BTreeSet<_> = cases.iter().map(|case| case.name).collect();
        assert_eq!(names.len(), cases.len());
    }
}
