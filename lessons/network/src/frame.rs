//! Frames made by hand: from a client to a server, and a server's answer.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use etherparse::{Ethernet2Header, IpHeaders, PacketBuilder, PacketBuilderStep};

pub type Mac = [u8; 6];

/// The first byte says: the address of one host, and not assigned by a manufacturer.
pub const SERVER: Mac = [2, 0, 0, 0, 0, 1];
pub const CLIENT: Mac = [2, 0, 0, 0, 0, 2];

/// No system starts with this time to live (they use 64, 128 or 255), so an answer that has it was
/// made from its request.
const TTL: u8 = 33;

/// The data of a ping and of a datagram.
pub const PAYLOAD: &[u8] = b"hello";

/// A datagram. Both of its ports are `port`.
pub fn udp_frame(from: IpAddr, to: IpAddr, port: u16) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    ip(from_client(), from, to)?
        .udp(port, port)
        .write(&mut frame, PAYLOAD)
        .context("cannot make a datagram")?;
    Ok(frame)
}

/// The first segment of a connection.
pub fn tcp_frame(from: IpAddr, to: IpAddr, port: u16) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    ip(from_client(), from, to)?
        .tcp(port, port, 1, 1024)
        .syn()
        .write(&mut frame, &[])
        .context("cannot make a segment")?;
    Ok(frame)
}

pub fn ping_frame(from: IpAddr, to: IpAddr) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let step = ip(from_client(), from, to)?;
    match from {
        IpAddr::V4(_) => step.icmpv4_echo_request(1, 1).write(&mut frame, PAYLOAD),
        IpAddr::V6(_) => step.icmpv6_echo_request(1, 1).write(&mut frame, PAYLOAD),
    }
    .context("cannot make a ping")?;
    Ok(frame)
}

/// The answer to `ping_frame(from, to)`, made from it: with the same time to live.
pub fn ping_reply(from: IpAddr, to: IpAddr) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let step = ip(PacketBuilder::ethernet2(SERVER, CLIENT), to, from)?;
    match from {
        IpAddr::V4(_) => step.icmpv4_echo_reply(1, 1).write(&mut frame, PAYLOAD),
        IpAddr::V6(_) => step.icmpv6_echo_reply(1, 1).write(&mut frame, PAYLOAD),
    }
    .context("cannot make the answer to a ping")?;
    Ok(frame)
}

pub fn from_client() -> PacketBuilderStep<Ethernet2Header> {
    PacketBuilder::ethernet2(CLIENT, SERVER)
}

fn ip(
    ethernet: PacketBuilderStep<Ethernet2Header>,
    from: IpAddr,
    to: IpAddr,
) -> Result<PacketBuilderStep<IpHeaders>> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Ok(ethernet.ipv4(from.octets(), to.octets(), TTL)),
        (IpAddr::V6(from), IpAddr::V6(to)) => Ok(ethernet.ipv6(from.octets(), to.octets(), TTL)),
        _ => bail!("cannot make a packet from {from} to {to}: one is IPv4, the other IPv6"),
    }
}

#[cfg(test)]
mod tests {
    use etherparse::{SlicedPacket, TransportSlice};

    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// A parser of another crate finds that both are right, with their checksums.
    #[test]
    fn a_reply_swaps_the_addresses_and_has_a_right_checksum() {
        for (from, to) in [("10.6.0.2", "10.6.0.1"), ("fd06::2", "fd06::1")] {
            let (from, to) = (address(from), address(to));
            let request = ping_frame(from, to).expect("one family");
            let reply = ping_reply(from, to).expect("one family");
            assert_eq!(request[..6], reply[6..12]);
            assert_eq!(request[6..12], reply[..6]);
            let packet = SlicedPacket::from_ethernet(&reply).expect("it is right");
            match (packet.transport, from, to) {
                (Some(TransportSlice::Icmpv4(icmp)), ..) => {
                    let header = icmp.header();
                    assert_eq!(icmp.type_u8(), 0);
                    let sum = header.icmp_type.calc_checksum(icmp.payload());
                    assert_eq!(sum, header.checksum);
                }
                (Some(TransportSlice::Icmpv6(icmp)), IpAddr::V6(from), IpAddr::V6(to)) => {
                    assert_eq!(icmp.type_u8(), 129);
                    assert!(icmp.is_checksum_valid(to.octets(), from.octets()));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn families_do_not_mix() {
        assert!(udp_frame(address("10.6.0.1"), address("fd06::1"), 1).is_err());
    }
}
