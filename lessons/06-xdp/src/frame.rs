//! Frames made by hand.

use std::net::IpAddr;

use anyhow::{Context as _, Result, bail};
use etherparse::{
    Ethernet2Header, IpHeaders, NetSlice, PacketBuilder, PacketBuilderStep, SlicedPacket,
};
use etherparse::{LinkSlice, TransportSlice};

pub type Mac = [u8; 6];

/// The first bits say: one receiver, and an address that no manufacturer gave.
pub const SERVER: Mac = [2, 0, 0, 0, 0, 1];
pub const CLIENT: Mac = [2, 0, 0, 0, 0, 2];

/// Not one of those that systems begin with (64, 128, 255): an answer that still has it was made
/// from the request.
pub const TTL: u8 = 33;

/// A ping's data, and a datagram's.
pub const PAYLOAD: &[u8] = b"hello";

pub fn ethernet() -> PacketBuilderStep<Ethernet2Header> {
    PacketBuilder::ethernet2(CLIENT, SERVER)
}

pub fn udp(from: IpAddr, to: IpAddr, port: u16) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let step = ip(from, to)?.udp(port, port);
    step.write(&mut frame, PAYLOAD).context("make a datagram")?;
    Ok(frame)
}

pub fn tcp(from: IpAddr, to: IpAddr, port: u16) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    ip(from, to)?
        .tcp(port, port, 1, 1024)
        .syn()
        .write(&mut frame, &[])
        .context("make a segment")?;
    Ok(frame)
}

pub fn ping(from: IpAddr, to: IpAddr) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let step = ip(from, to)?;
    let written = match from {
        IpAddr::V4(_) => step.icmpv4_echo_request(1, 1).write(&mut frame, PAYLOAD),
        IpAddr::V6(_) => step.icmpv6_echo_request(1, 1).write(&mut frame, PAYLOAD),
    };
    written.context("make a ping")?;
    Ok(frame)
}

fn ip(from: IpAddr, to: IpAddr) -> Result<PacketBuilderStep<IpHeaders>> {
    match (from, to) {
        (IpAddr::V4(from), IpAddr::V4(to)) => Ok(ethernet().ipv4(from.octets(), to.octets(), TTL)),
        (IpAddr::V6(from), IpAddr::V6(to)) => Ok(ethernet().ipv6(from.octets(), to.octets(), TTL)),
        _ => bail!("make a packet from {from} to {to}: they are of different families"),
    }
}

/// Whether `answer` is what a ping deserves: all turned round, and the checksum right again.
pub fn is_answer(request: &[u8], answer: &[u8]) -> bool {
    match (facts(request), facts(answer)) {
        (Some(asked), Some(got)) => {
            got.from == asked.to
                && got.to == asked.from
                && got.macs == (asked.macs.1, asked.macs.0)
                && got.echo_reply == Some(true)
                && asked.echo_reply == Some(false)
                && got.checksum_is_right
                && got.ttl == asked.ttl
        }
        _ => false,
    }
}

struct Facts {
    macs: (Mac, Mac),
    from: IpAddr,
    to: IpAddr,
    ttl: u8,
    /// `None` for what is no ping.
    echo_reply: Option<bool>,
    checksum_is_right: bool,
}

fn facts(frame: &[u8]) -> Option<Facts> {
    let packet = SlicedPacket::from_ethernet(frame).ok()?;
    let Some(LinkSlice::Ethernet2(ethernet)) = &packet.link else {
        return None;
    };
    let (from, to, ttl): (IpAddr, IpAddr, u8) = match &packet.net {
        Some(NetSlice::Ipv4(ip)) => {
            let ip = ip.header();
            (
                ip.source_addr().into(),
                ip.destination_addr().into(),
                ip.ttl(),
            )
        }
        Some(NetSlice::Ipv6(ip)) => {
            let ip = ip.header();
            (
                ip.source_addr().into(),
                ip.destination_addr().into(),
                ip.hop_limit(),
            )
        }
        _ => return None,
    };
    let (echo_reply, checksum_is_right) = match (&packet.transport, from, to) {
        (Some(TransportSlice::Icmpv4(icmp)), ..) => {
            let header = icmp.header();
            let right = header.icmp_type.calc_checksum(icmp.payload()) == header.checksum;
            (echo(icmp.type_u8(), 8, 0), right)
        }
        (Some(TransportSlice::Icmpv6(icmp)), IpAddr::V6(from), IpAddr::V6(to)) => (
            echo(icmp.type_u8(), 128, 129),
            icmp.is_checksum_valid(from.octets(), to.octets()),
        ),
        _ => (None, true),
    };
    let macs = (ethernet.source(), ethernet.destination());
    Some(Facts {
        macs,
        from,
        to,
        ttl,
        echo_reply,
        checksum_is_right,
    })
}

fn echo(kind: u8, request: u8, reply: u8) -> Option<bool> {
    (kind == request || kind == reply).then_some(kind == reply)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAIRS: [(&str, &str); 2] = [("10.6.0.2", "10.6.0.1"), ("fd06::2", "fd06::1")];

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// What an answering machine would send.
    fn answered(from: &str, to: &str) -> Vec<u8> {
        let mut frame = Vec::new();
        let builder = PacketBuilder::ethernet2(SERVER, CLIENT);
        match (address(to), address(from)) {
            (IpAddr::V4(from), IpAddr::V4(to)) => builder
                .ipv4(from.octets(), to.octets(), TTL)
                .icmpv4_echo_reply(1, 1)
                .write(&mut frame, PAYLOAD),
            (IpAddr::V6(from), IpAddr::V6(to)) => builder
                .ipv6(from.octets(), to.octets(), TTL)
                .icmpv6_echo_reply(1, 1)
                .write(&mut frame, PAYLOAD),
            _ => panic!("one family"),
        }
        .expect("memory takes all");
        frame
    }

    #[test]
    fn a_right_answer_is_recognised_and_a_wrong_bit_too() {
        for (from, to) in PAIRS {
            let request = ping(address(from), address(to)).expect("one family");
            let answer = answered(from, to);
            assert!(is_answer(&request, &answer), "{from}");
            assert!(!is_answer(&request, &request) && !is_answer(&answer, &request));
            for at in 0..answer.len() {
                let mut wrong = answer.clone();
                wrong[at] ^= 1;
                // The IPv4 header's own checksum, its service and id are not looked at.
                let unseen = from.contains('.') && matches!(at, 15 | 18..=21 | 24 | 25);
                let unseen = unseen || !from.contains('.') && matches!(at, 14..=17);
                assert!(unseen || !is_answer(&request, &wrong), "{from}: byte {at}");
            }
        }
    }

    #[test]
    fn families_do_not_mix() {
        assert!(udp(address("10.6.0.1"), address("fd06::1"), 1).is_err());
    }
}
