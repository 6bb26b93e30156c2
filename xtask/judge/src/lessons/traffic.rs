//! Lesson 10.

use std::io::ErrorKind;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, TcpStream, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use aya::Pod;
use aya::maps::{HashMap, MapData, MapError};

use crate::answer::LoadedAnswer;
use crate::cgroup;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::frame::{self, HEADERS};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "10/rewrite-destination",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("rewrite", Hook::Classifier)],
            maps: &[MapSpec::hash::<u16, [u8; 8]>("FORWARD")],
            globals: &[],
            checks: &[
                Check {
                    says: "gives a datagram its new address and port",
                    holds: new_destination,
                },
                Check {
                    says: "keeps the checksum of IPv4 right",
                    holds: ip_checksum,
                },
                Check {
                    says: "keeps the checksum of UDP right",
                    holds: udp_checksum,
                },
                Check {
                    says: "leaves a datagram without a checksum without one",
                    holds: no_checksum,
                },
                Check {
                    says: "writes a checksum of 0 as 0xffff",
                    holds: zero_checksum,
                },
                Check {
                    says: "leaves all else as it is",
                    holds: left_alone,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "10/redirect-connect",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("on_connect4", Hook::Cgroup("connect4")),
                ("on_connect6", Hook::Cgroup("connect6")),
            ],
            maps: &[MapSpec::hash::<u16, u16>("PORTS")],
            globals: &[],
            checks: &[
                Check {
                    says: "redirects over IPv4",
                    holds: redirects_v4,
                },
                Check {
                    says: "redirects over IPv6",
                    holds: redirects_v6,
                },
                Check {
                    says: "denies where the map says 0",
                    holds: denies,
                },
                Check {
                    says: "lets connections to other ports go where they want to",
                    holds: other_ports,
                },
                Check {
                    says: "leaves UDP alone",
                    holds: udp_sockets,
                },
            ],
        }),
    },
];

// --- rewrite-destination

/// Offsets in a frame with the headers of Ethernet, IPv4 without options, and UDP.
const FRAG_OFF: usize = 14 + 6;
const IP_CHECK: usize = 14 + 10;
const ADDRESSES: usize = 14 + 12;
const DESTINATION: usize = 14 + 16;
const PORT: usize = 14 + 20 + 2;
const UDP_CHECK: usize = 14 + 20 + 6;

const UDP: u16 = 17;

/// The other bytes: they must stay as they are.
const CHANGED: [std::ops::Range<usize>; 4] = [
    IP_CHECK..IP_CHECK + 2,
    DESTINATION..DESTINATION + 4,
    PORT..PORT + 2,
    UDP_CHECK..UDP_CHECK + 2,
];

/// A datagram, what the answer made of it, and what it should have made of it.
struct Rewritten {
    got: Vec<u8>,
    right: Vec<u8>,
}

fn new_destination(answer: &mut LoadedAnswer) -> Result<()> {
    for _ in 0..5 {
        let Rewritten { got, right } = rewrite(answer, &any_datagram()?)?;
        ensure!(
            got[DESTINATION..][..4] == right[DESTINATION..][..4],
            "the destination of a datagram is {}, and should be {}",
            address_at(&got),
            address_at(&right)
        );
        let [port, right_port] = [&got, &right].map(|frame| number_at(frame, PORT));
        ensure!(
            port == right_port,
            "the destination port of a datagram is {port}, and should be {right_port}"
        );
        let without_changes = |frame: &[u8]| {
            let mut frame = frame.to_vec();
            CHANGED.into_iter().for_each(|bytes| frame[bytes].fill(0));
            frame
        };
        let changed = without_changes(&got)
            .iter()
            .zip(without_changes(&right))
            .position(|(got, right)| *got != right);
        if let Some(byte) = changed {
            bail!("byte {byte} of a datagram's frame is changed, and should stay as it is");
        }
    }
    Ok(())
}

fn ip_checksum(answer: &mut LoadedAnswer) -> Result<()> {
    compare_checksum(answer, IP_CHECK, "IPv4", any_datagram)
}

fn udp_checksum(answer: &mut LoadedAnswer) -> Result<()> {
    compare_checksum(answer, UDP_CHECK, "UDP", any_datagram)
}

fn no_checksum(answer: &mut LoadedAnswer) -> Result<()> {
    compare_checksum(answer, UDP_CHECK, "UDP, which was left out,", || {
        let mut frame = any_datagram()?;
        frame[UDP_CHECK..UDP_CHECK + 2].fill(0);
        Ok(frame)
    })
}

fn zero_checksum(answer: &mut LoadedAnswer) -> Result<()> {
    for _ in 0..5 {
        let (mut frame, to) = (any_datagram()?, any_destination());
        // The last word of the data is what makes the sum of the new datagram 0xffff.
        let end = frame.len() - 2;
        frame[end..].fill(0);
        let mut new = frame.clone();
        write_destination(&mut new, to);
        let word = 0xffff - add_up_udp(&new);
        frame[end..].copy_from_slice(&word.to_be_bytes());
        let check = udp_check_of(&frame);
        frame[UDP_CHECK..UDP_CHECK + 2].copy_from_slice(&check.to_be_bytes());
        let got = rewrite_to(answer, &frame, to)?.got;
        let check = number_at(&got, UDP_CHECK);
        ensure!(
            check == 0xffff,
            "the checksum of UDP is {check:#06x}, and should be 0xffff: it comes out as 0"
        );
    }
    Ok(())
}

fn left_alone(answer: &mut LoadedAnswer) -> Result<()> {
    let (port, other) = (frame::any_port(), frame::any_port());
    let data = frame::any_payload(50);
    let ipv4 = frame::ipv4_packet;
    // Where the port is without options, these have the same number.
    let [high, low] = port.to_be_bytes();
    let options = [1, 1, high, low];
    let mut fragment = frame::udp_frame(ipv4(), port, &data)?;
    fragment[FRAG_OFF..FRAG_OFF + 2].copy_from_slice(&fastrand::u16(1..0x2000).to_be_bytes());
    let mut foreign = frame::udp_frame(ipv4(), port, &data)?;
    foreign[12..14].copy_from_slice(&fastrand::u16(0x0801..0x8000).to_be_bytes());
    let short = frame::udp_frame(ipv4(), port, &[])?;
    let mut frames = vec![
        (
            "a datagram to another port",
            frame::udp_frame(ipv4(), other, &data)?,
        ),
        ("a TCP segment", frame::tcp_frame(ipv4(), port, &data)?),
        (
            "a datagram over IPv6",
            frame::udp_frame(frame::ipv6_packet(), port, &data)?,
        ),
        (
            "a datagram with options in its IPv4 header",
            frame::udp_frame(frame::ipv4_packet_with(&options)?, port, &data)?,
        ),
        ("a fragment that is not the first", fragment),
        ("a frame that is no IP packet", foreign),
    ];
    // At each byte: the port may be there, and the header not whole.
    for end in HEADERS - 7..HEADERS {
        frames.push((
            "a datagram that was cut off in its UDP header",
            short[..end].to_vec(),
        ));
    }
    set_forward(answer, port, any_destination())?;
    for (what, frame) in frames {
        let result = answer.run_on_frame("rewrite", &frame)?;
        check_verdict(result.verdict)?;
        ensure!(
            result.frame == frame,
            "{what} is changed, and should stay as it is"
        );
    }
    Ok(())
}

fn compare_checksum(
    answer: &mut LoadedAnswer,
    offset: usize,
    name: &str,
    datagram: fn() -> Result<Vec<u8>>,
) -> Result<()> {
    for _ in 0..20 {
        let Rewritten { got, right } = rewrite(answer, &datagram()?)?;
        let [got, right] = [got, right].map(|frame| number_at(&frame, offset));
        ensure!(
            got == right,
            "the checksum of {name} is {got:#06x}, and should be {right:#06x}"
        );
    }
    Ok(())
}

fn rewrite(answer: &mut LoadedAnswer, frame: &[u8]) -> Result<Rewritten> {
    rewrite_to(answer, frame, any_destination())
}

fn rewrite_to(answer: &mut LoadedAnswer, frame: &[u8], to: [u8; 8]) -> Result<Rewritten> {
    set_forward(answer, number_at(frame, PORT), to)?;
    let result = answer.run_on_frame("rewrite", frame)?;
    check_verdict(result.verdict)?;
    ensure!(
        result.frame.len() == frame.len(),
        "a frame of {} bytes has {} after it was rewritten",
        frame.len(),
        result.frame.len()
    );
    let mut right = frame.to_vec();
    write_destination(&mut right, to);
    let check = !add_up(&with_zeros(&right[14..HEADERS - 8], IP_CHECK - 14), 0);
    right[IP_CHECK..IP_CHECK + 2].copy_from_slice(&check.to_be_bytes());
    if number_at(frame, UDP_CHECK) != 0 {
        let check = udp_check_of(&right);
        right[UDP_CHECK..UDP_CHECK + 2].copy_from_slice(&check.to_be_bytes());
    }
    Ok(Rewritten {
        got: result.frame,
        right,
    })
}

fn check_verdict(verdict: u32) -> Result<()> {
    ensure!(
        verdict == 0,
        "rewrite returned {}, and should return TC_ACT_OK (0)",
        verdict.cast_signed()
    );
    Ok(())
}

fn set_forward(answer: &mut LoadedAnswer, port: u16, to: [u8; 8]) -> Result<()> {
    set_only(&mut answer.hash_mut("FORWARD")?, port, to).context("write to FORWARD")
}

fn set_only<V: Pod>(
    map: &mut HashMap<&mut MapData, u16, V>,
    port: u16,
    value: V,
) -> Result<(), MapError> {
    let others: Vec<u16> = map.keys().collect::<Result<_, _>>()?;
    for other in others {
        map.remove(&other)?;
    }
    map.insert(port, value, 0)
}

fn any_datagram() -> Result<Vec<u8>> {
    let data = frame::any_payload(2 * fastrand::usize(1..50));
    frame::udp_frame(frame::ipv4_packet(), frame::any_port(), &data)
}

/// An address and a port, and two bytes that mean nothing.
fn any_destination() -> [u8; 8] {
    fastrand::u64(..).to_be_bytes()
}

fn write_destination(frame: &mut [u8], to: [u8; 8]) {
    frame[DESTINATION..DESTINATION + 4].copy_from_slice(&to[..4]);
    frame[PORT..PORT + 2].copy_from_slice(&to[4..6]);
}

fn number_at(frame: &[u8], offset: usize) -> u16 {
    u16::from_be_bytes([frame[offset], frame[offset + 1]])
}

fn address_at(frame: &[u8]) -> Ipv4Addr {
    let bytes: [u8; 4] = std::array::from_fn(|byte| frame[DESTINATION + byte]);
    Ipv4Addr::from(bytes)
}

/// As it is written: what comes out as 0 is 0xffff.
fn udp_check_of(frame: &[u8]) -> u16 {
    match !add_up_udp(frame) {
        0 => 0xffff,
        check => check,
    }
}

/// The sum over a datagram and its pseudo header: both addresses, the protocol, the length.
fn add_up_udp(frame: &[u8]) -> u16 {
    let datagram = &frame[14 + 20..];
    let addresses = &frame[ADDRESSES..ADDRESSES + 8];
    let start = add_up(addresses, u32::from(UDP) + datagram.len() as u32);
    let udp_check = UDP_CHECK - 14 - 20;
    add_up(&with_zeros(datagram, udp_check), u32::from(start))
}

/// A checksum counts as 0 in its own sum.
fn with_zeros(bytes: &[u8], check: usize) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    bytes[check..check + 2].fill(0);
    bytes
}

/// The sum of 16-bit words in which what does not fit is added again, from RFC 1071.
fn add_up(bytes: &[u8], start: u32) -> u16 {
    let word = |word: &[u8]| u32::from(word[0]) << 8 | u32::from(*word.get(1).unwrap_or(&0));
    let mut sum = bytes.chunks(2).map(word).sum::<u32>() + start;
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    sum as u16
}

// --- redirect-connect

const V4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const V6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

fn redirects_v4(answer: &mut LoadedAnswer) -> Result<()> {
    redirects(answer, V4)
}

fn redirects_v6(answer: &mut LoadedAnswer) -> Result<()> {
    redirects(answer, V6)
}

fn redirects(answer: &mut LoadedAnswer, address: IpAddr) -> Result<()> {
    for _ in 0..3 {
        let [asked, other] = [Listener::open(address)?, Listener::open(address)?];
        set_port(answer, asked.port, other.port)?;
        connect_inside(address, asked.port)?;
        let (port, right) = (asked.port, other.port);
        ensure!(
            asked.count_connections(0)? == 0,
            "a connection to port {port} arrived there, and should have been redirected to port \
             {right}"
        );
        ensure!(
            other.count_connections(1)? == 1,
            "a connection to port {port} should have been redirected to port {right}, and arrived \
             at neither"
        );
    }
    Ok(())
}

fn denies(answer: &mut LoadedAnswer) -> Result<()> {
    for address in [V4, V6] {
        let listener = Listener::open(address)?;
        set_port(answer, listener.port, 0)?;
        let connected = cgroup::work_inside(|| {
            Ok(TcpStream::connect((address, listener.port)).map_err(|error| error.kind()))
        })?;
        let what = format!("PORTS says 0 for port {} of {address}", listener.port);
        match connected {
            Err(ErrorKind::PermissionDenied) => {}
            Err(error) => bail!("{what}, and connect failed with {error:?}; it should be EPERM"),
            Ok(_) => bail!("{what}, and connect did not fail"),
        }
    }
    Ok(())
}

fn other_ports(answer: &mut LoadedAnswer) -> Result<()> {
    for address in [V4, V6] {
        let [asked, key, value] = [(); 3].map(|()| Listener::open(address));
        let [asked, key, value] = [asked?, key?, value?];
        set_port(answer, key.port, value.port)?;
        connect_inside(address, asked.port)?;
        ensure!(
            asked.count_connections(1)? == 1,
            "port {} is no key of PORTS, and a connection to it did not arrive there",
            asked.port
        );
    }
    Ok(())
}

fn udp_sockets(answer: &mut LoadedAnswer) -> Result<()> {
    for address in [V4, V6] {
        let receiver = UdpSocket::bind((address, 0)).context("wait for datagrams")?;
        let port = receiver.local_addr().context("ask for the port")?.port();
        for other in [frame::any_port(), 0] {
            set_port(answer, port, other)?;
            let peer = cgroup::work_inside(|| {
                let sender = UdpSocket::bind((address, 0)).context("open a UDP socket")?;
                sender
                    .connect((address, port))
                    .with_context(|| format!("connect a UDP socket to port {port}"))?;
                sender.peer_addr().context("ask where it is connected to")
            })?;
            ensure!(
                peer.port() == port,
                "a UDP socket connected to port {port}, and is connected to port {}",
                peer.port()
            );
        }
    }
    Ok(())
}

/// Makes it the only entry: the kernel may choose a port again that an earlier one is about.
fn set_port(answer: &mut LoadedAnswer, from: u16, to: u16) -> Result<()> {
    set_only(&mut answer.hash_mut("PORTS")?, from, to).context("write to PORTS")
}

fn connect_inside(address: IpAddr, port: u16) -> Result<()> {
    let connect = || connect_to(address, port);
    cgroup::work_inside(connect)
}

pub fn connect_to(address: IpAddr, port: u16) -> Result<()> {
    TcpStream::connect_timeout(&(address, port).into(), LIMIT)
        .map(drop)
        .with_context(|| format!("connect to port {port} of {address}"))
}

/// For a connection on this machine. It takes a millisecond; this is for a machine that is very
/// busy.
const LIMIT: Duration = Duration::from_secs(5);

/// For a segment that is on its way. It takes microseconds; this is for a CPU of the VM that is not
/// running.
const SOON: Duration = Duration::from_secs(1);

/// Waits for connections at a port that was free.
pub struct Listener {
    listener: TcpListener,
    pub port: u16,
}

impl Listener {
    pub fn open(address: IpAddr) -> Result<Self> {
        let listener = TcpListener::bind((address, 0)).context("wait for connections")?;
        listener
            .set_nonblocking(true)
            .context("look without waiting")?;
        let port = listener.local_addr().context("ask for the port")?.port();
        Ok(Self { listener, port })
    }

    /// Takes those that are there. `connect` may return before its last segment has arrived here,
    /// so this waits a little where some are missing.
    pub fn count_connections(&self, expected: usize) -> Result<usize> {
        let deadline = Instant::now() + SOON;
        let mut count = 0;
        loop {
            match self.listener.accept() {
                Ok(_) => count += 1,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    if count >= expected || Instant::now() > deadline {
                        return Ok(count);
                    }
                    thread::sleep(Duration::from_millis(1));
                }
                Err(error) => return Err(error).context("accept a connection"),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_etherparse() {
        for _ in 0..1000 {
            let frame = any_datagram().unwrap();
            assert_eq!(udp_check_of(&frame), number_at(&frame, UDP_CHECK));
            let header = with_zeros(&frame[14..34], IP_CHECK - 14);
            assert_eq!(!add_up(&header, 0), number_at(&frame, IP_CHECK));
        }
    }
}
