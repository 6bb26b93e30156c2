//! Frames made by hand, and what packet programs do with them. Addresses are others at each run.

use std::iter;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context as _, Result, ensure};
use etherparse::{
    Ethernet2Header, IpHeaders, IpNumber, Ipv4Header, PacketBuilder, PacketBuilderStep, ip_number,
};

use crate::answer::LoadedAnswer;

/// What an XDP program can say about a frame.
pub const DROP: u32 = 1;
pub const PASS: u32 = 2;

/// Length of the headers of a datagram in IPv4 without options.
pub const HEADERS: usize = 14 + 20 + 8;

pub fn ethernet_header() -> PacketBuilderStep<Ethernet2Header> {
    // The first bits say: one receiver, and an address that no manufacturer gave.
    PacketBuilder::ethernet2(
        [2, 0, 0, 0, 0, fastrand::u8(..)],
        [2, 0, 0, 0, 1, fastrand::u8(..)],
    )
}

/// A packet in IPv4 from and to anywhere.
pub fn ipv4_packet() -> PacketBuilderStep<IpHeaders> {
    ethernet_header().ipv4(
        fastrand::u32(..).to_be_bytes(),
        fastrand::u32(..).to_be_bytes(),
        64,
    )
}

/// The same with options, 40 bytes at most, of which the length is a multiple of 4.
pub fn ipv4_packet_with(options: &[u8]) -> Result<PacketBuilderStep<IpHeaders>> {
    let (from, to) = (
        fastrand::u32(..).to_be_bytes(),
        fastrand::u32(..).to_be_bytes(),
    );
    let mut header = Ipv4Header::new(0, 64, ip_number::UDP, from, to).context("make a header")?;
    header.options = options.try_into().context("make the options of a header")?;
    Ok(ethernet_header().ip(IpHeaders::Ipv4(header, Default::default())))
}

pub fn ipv6_packet() -> PacketBuilderStep<IpHeaders> {
    ethernet_header().ipv6(
        fastrand::u128(..).to_be_bytes(),
        fastrand::u128(..).to_be_bytes(),
        64,
    )
}

pub fn udp_frame(ip: PacketBuilderStep<IpHeaders>, port: u16, payload: &[u8]) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    ip.udp(fastrand::u16(1024..), port)
        .write(&mut frame, payload)
        .context("make a datagram")?;
    Ok(frame)
}

pub fn tcp_frame(ip: PacketBuilderStep<IpHeaders>, port: u16, payload: &[u8]) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let segment = ip.tcp(fastrand::u16(1024..), port, fastrand::u32(..), 1024);
    segment
        .write(&mut frame, payload)
        .context("make a segment")?;
    Ok(frame)
}

/// A packet of this protocol, with anything in it.
pub fn packet_frame(ip: PacketBuilderStep<IpHeaders>, protocol: IpNumber) -> Result<Vec<u8>> {
    let mut frame = Vec::new();
    let payload = any_payload(fastrand::usize(0..100));
    ip.write(&mut frame, protocol, &payload)
        .context("make a packet")?;
    Ok(frame)
}

/// A protocol that nobody can know beforehand. Extension headers are none.
pub fn any_protocol() -> IpNumber {
    loop {
        let protocol = IpNumber(fastrand::u8(..));
        if !protocol.is_ipv6_ext_header_value() {
            return protocol;
        }
    }
}

/// The same frame in a virtual network: the tag comes before the type.
pub fn tag_frame(frame: &[u8]) -> Vec<u8> {
    let (macs, rest) = frame.split_at(12);
    let tag = [[0x81, 0], fastrand::u16(1..4095).to_be_bytes()].concat();
    [macs, &tag, rest].concat()
}

pub fn any_payload(length: usize) -> Vec<u8> {
    iter::repeat_with(|| fastrand::u8(..))
        .take(length)
        .collect()
}

/// A port that nobody can know beforehand. None comes twice: what an answer keeps of a port is
/// about the frames of one check.
pub fn any_port() -> u16 {
    static LEFT: Mutex<Vec<u16>> = Mutex::new(Vec::new());
    let mut left = LEFT.lock().unwrap_or_else(PoisonError::into_inner);
    if left.is_empty() {
        left.extend(1024..=u16::MAX);
    }
    let index = fastrand::usize(..left.len());
    left.swap_remove(index)
}

/// Runs an XDP program on a frame, which it should pass or drop. `what` names the frame.
pub fn check_verdict(
    verdict: u32,
    answer: &mut LoadedAnswer,
    program: &str,
    frame: &[u8],
    what: &str,
) -> Result<()> {
    let got = answer.run_on_frame(program, frame)?.verdict;
    ensure!(
        got == verdict,
        "{what} was {}, and should have been {}",
        done(got),
        done(verdict)
    );
    Ok(())
}

fn done(verdict: u32) -> String {
    match verdict {
        0 => "aborted (0)".to_owned(),
        DROP => "dropped (1)".to_owned(),
        PASS => "passed (2)".to_owned(),
        3 => "sent back (3)".to_owned(),
        other => format!("given the verdict {other}"),
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn no_port_comes_twice() {
        let ports: BTreeSet<u16> = iter::repeat_with(any_port).take(2000).collect();
        assert_eq!(ports.len(), 2000);
    }

    #[test]
    fn a_packet_of_any_protocol_can_be_made() {
        for _ in 0..5000 {
            let protocol = any_protocol();
            assert_eq!(
                packet_frame(ipv4_packet(), protocol).unwrap()[14 + 9],
                protocol.0
            );
            assert_eq!(
                packet_frame(ipv6_packet(), protocol).unwrap()[14 + 6],
                protocol.0
            );
        }
    }
}
