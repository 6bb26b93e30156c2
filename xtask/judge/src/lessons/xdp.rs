//! Lesson 06.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use etherparse::{IpHeaders, PacketBuilderStep, ip_number};

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::frame::{self, DROP, PASS};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "06/count-protocols",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("count", Hook::Xdp)],
            maps: &[MapSpec::per_cpu_array::<u64>("PACKETS")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts packets in IPv4",
                    holds: protocols_v4,
                },
                Check {
                    says: "counts packets in IPv6",
                    holds: protocols_v6,
                },
                Check {
                    says: "leaves out all else, and frames that end early",
                    holds: no_protocol,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "06/bytes-by-port",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("add_up", Hook::Xdp)],
            maps: &[MapSpec::hash::<u16, u64>("BYTES")],
            globals: &[],
            checks: &[
                Check {
                    says: "adds up datagrams",
                    holds: plain_datagrams,
                },
                Check {
                    says: "counts datagrams with a VLAN tag as well",
                    holds: tagged_datagrams,
                },
                Check {
                    says: "leaves out all else",
                    holds: no_datagrams,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "06/limit-rate",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("limit_rate", Hook::Xdp)],
            maps: &[
                MapSpec::array::<[u64; 2]>("LIMIT"),
                MapSpec::hash::<[u8; 4], [u64; 3]>("SOURCES"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "drops what is over the limit",
                    holds: over_the_limit,
                },
                Check {
                    says: "has a window for each source, and a limit that can change",
                    holds: many_sources,
                },
                Check {
                    says: "begins a new window when the old one is over",
                    holds: next_window,
                },
                Check {
                    says: "passes what is not IPv4",
                    holds: not_limited,
                },
            ],
        }),
    },
];

// --- count-protocols

type Counts = [u64; 256];
type Ip = PacketBuilderStep<IpHeaders>;

fn protocols_v4(answer: &mut LoadedAnswer) -> Result<()> {
    protocols(answer, frame::ipv4_packet, "IPv4")
}

fn protocols_v6(answer: &mut LoadedAnswer) -> Result<()> {
    protocols(answer, frame::ipv6_packet, "IPv6")
}

fn protocols(answer: &mut LoadedAnswer, ip: fn() -> Ip, name: &str) -> Result<()> {
    for protocol in [
        ip_number::TCP,
        ip_number::UDP,
        frame::any_protocol(),
        frame::any_protocol(),
    ] {
        let (mut expected, times) = (counts(answer)?, fastrand::u64(2..9));
        for _ in 0..times {
            let packet = frame::packet_frame(ip(), protocol)?;
            frame::check_verdict(
                PASS,
                answer,
                "count",
                &packet,
                &format!("a packet in {name}"),
            )?;
        }
        expected[usize::from(protocol.0)] += times;
        compare(
            answer,
            &expected,
            &format!("{times} packets in {name} were of protocol {}", protocol.0),
        )?;
    }
    Ok(())
}

fn no_protocol(answer: &mut LoadedAnswer) -> Result<()> {
    let before = counts(answer)?;
    let packet = |ip: Ip| frame::udp_frame(ip, frame::any_port(), b"hello");
    let mut other = packet(frame::ipv4_packet())?;
    // A type that is neither of IP's.
    other[12..14].copy_from_slice(&fastrand::u16(0x0801..0x8000).to_be_bytes());
    let whole = other.len();
    let frames = [
        ("a frame that is no IP packet", other, whole..whole + 1),
        (
            "a packet that was cut off in its IPv4 header",
            packet(frame::ipv4_packet())?,
            14..14 + 20,
        ),
        (
            "a packet that was cut off in its IPv6 header",
            packet(frame::ipv6_packet())?,
            14..14 + 40,
        ),
    ];
    for (what, frame, ends) in frames {
        // At each byte: the one that says the protocol may be there, and the header not whole.
        for end in ends {
            frame::check_verdict(PASS, answer, "count", &frame[..end], what)?;
        }
        compare(answer, &before, &format!("{what} was sent"))?;
    }
    Ok(())
}

/// On all CPUs together.
fn counts(answer: &LoadedAnswer) -> Result<Counts> {
    let packets = answer.per_cpu_array::<u64>("PACKETS")?;
    let mut counts = [0; 256];
    for (protocol, count) in (0..).zip(&mut counts) {
        *count = packets
            .get(&protocol, 0)
            .context("read PACKETS")?
            .iter()
            .sum();
    }
    Ok(counts)
}

fn compare(answer: &LoadedAnswer, expected: &Counts, what: &str) -> Result<()> {
    let seen = counts(answer)?;
    match seen
        .iter()
        .zip(expected)
        .position(|(seen, expected)| seen != expected)
    {
        Some(protocol) => bail!(
            "{what}; PACKETS should say {} for protocol {protocol}, and says {}",
            expected[protocol],
            seen[protocol]
        ),
        None => Ok(()),
    }
}

// --- bytes-by-port

fn plain_datagrams(answer: &mut LoadedAnswer) -> Result<()> {
    for port in [frame::any_port(), frame::any_port()] {
        let mut sum = 0;
        let times = fastrand::usize(2..9);
        for _ in 0..times {
            let options = vec![1; 4 * fastrand::usize(1..4)];
            let datagram =
                frame::udp_frame(frame::ipv4_packet_with(&options)?, port, &some_bytes())?;
            sum += sent(answer, &datagram, 14)?;
        }
        let said = bytes_of(answer, port)?;
        ensure!(
            said == Some(sum),
            "{times} datagrams, {sum} bytes in all, went to port {port}; BYTES says {}",
            or_nothing(said)
        );
    }
    Ok(())
}

fn tagged_datagrams(answer: &mut LoadedAnswer) -> Result<()> {
    let port = frame::any_port();
    let (plain, tagged) = (fastrand::u32(2..5), fastrand::u32(2..5));
    let mut sum = 0;
    for _ in 0..plain {
        sum += sent(
            answer,
            &frame::udp_frame(frame::ipv4_packet(), port, &some_bytes())?,
            14,
        )?;
    }
    for _ in 0..tagged {
        let untagged = frame::udp_frame(frame::ipv4_packet(), port, &some_bytes())?;
        sum += sent(answer, &frame::tag_frame(&untagged), 18)?;
    }
    let said = bytes_of(answer, port)?;
    ensure!(
        said == Some(sum),
        "{} datagrams, {sum} bytes in all, went to port {port}, {tagged} of them with a VLAN tag; \
         BYTES says {}",
        plain + tagged,
        or_nothing(said)
    );
    Ok(())
}

fn no_datagrams(answer: &mut LoadedAnswer) -> Result<()> {
    let port = frame::any_port();
    let datagram = frame::udp_frame(frame::ipv4_packet(), port, b"")?;
    let tagged = frame::tag_frame(&datagram);
    let others = [
        (
            "a TCP segment",
            vec![frame::tcp_frame(frame::ipv4_packet(), port, b"hello")?],
        ),
        (
            "a datagram in IPv6",
            vec![frame::udp_frame(frame::ipv6_packet(), port, b"hello")?],
        ),
        ("a datagram that was cut off", beginnings(&datagram)),
        (
            "a datagram with a VLAN tag that was cut off",
            beginnings(&tagged),
        ),
    ];
    for (what, frames) in others {
        for frame in frames {
            frame::check_verdict(PASS, answer, "add_up", &frame, what)?;
        }
        let said = bytes_of(answer, port)?;
        ensure!(
            said.is_none(),
            "{what} was to port {port}, and is not to be counted; BYTES says {}",
            or_nothing(said)
        );
    }
    Ok(())
}

/// A frame, cut off at each byte after its first header.
fn beginnings(frame: &[u8]) -> Vec<Vec<u8>> {
    (14..frame.len()).map(|end| frame[..end].to_vec()).collect()
}

fn some_bytes() -> Vec<u8> {
    frame::any_payload(fastrand::usize(0..500))
}

/// Sends a datagram; returns the length of its packet, which begins here.
fn sent(answer: &mut LoadedAnswer, datagram: &[u8], packet: usize) -> Result<u64> {
    frame::check_verdict(PASS, answer, "add_up", datagram, "a datagram")?;
    Ok((datagram.len() - packet) as u64)
}

fn bytes_of(answer: &LoadedAnswer, port: u16) -> Result<Option<u64>> {
    Ok(answer.hash_map::<u16, u64>("BYTES")?.get(&port, 0).ok())
}

fn or_nothing(bytes: Option<u64>) -> String {
    bytes.map_or_else(|| "nothing of it".to_owned(), |bytes| bytes.to_string())
}

// --- limit-rate

/// Longer than any check takes.
const HOUR: Duration = Duration::from_secs(3600);

fn over_the_limit(answer: &mut LoadedAnswer) -> Result<()> {
    let (limit, over) = (fastrand::u64(2..9), fastrand::u64(1..9));
    set_limit(answer, limit, HOUR)?;
    let source = fastrand::u32(..);
    up_to_limit(answer, source, 0, limit)?;
    for number in limit + 1..=limit + over {
        sends(
            answer,
            source,
            DROP,
            &format!("packet {number} of a source that may send {limit}"),
        )?;
    }
    known(answer, source, limit, over)
}

fn many_sources(answer: &mut LoadedAnswer) -> Result<()> {
    let (limit, more) = (fastrand::u64(2..9), fastrand::u64(1..5));
    set_limit(answer, limit, HOUR)?;
    // Each differs from another in one byte.
    let source = fastrand::u32(..);
    let sources = [source, source ^ 1, source ^ 1 << 24];
    for source in &sources {
        up_to_limit(answer, *source, 0, limit)?;
    }
    set_limit(answer, limit + more, HOUR)?;
    for source in &sources {
        up_to_limit(answer, *source, limit, limit + more)?;
        sends(
            answer,
            *source,
            DROP,
            "a packet over the limit that was raised",
        )?;
        known(answer, *source, limit + more, 1)?;
    }
    Ok(())
}

/// What takes long in a busy VM must not make this wrong: a packet may be dropped while the window
/// can still be open, and passed as soon as it can be over.
fn next_window(answer: &mut LoadedAnswer) -> Result<()> {
    let window = Duration::from_millis(fastrand::u64(100..300));
    let source = fastrand::u32(..);
    let limit = fastrand::u64(2..6);
    // The first packet begins the window, and is all that may pass in it.
    set_limit(answer, 1, window)?;
    let earliest = Instant::now() + window;
    sends(answer, source, PASS, "the first packet of a source")?;
    let latest = Instant::now() + window;
    let mut dropped = 0;
    loop {
        let begin = Instant::now();
        let verdict = answer
            .run_on_frame("limit_rate", &packet_from(source)?)?
            .verdict;
        let milliseconds = window.as_millis();
        if verdict == PASS {
            ensure!(
                Instant::now() >= earliest,
                "a window of {milliseconds} ms was over too early"
            );
            break;
        }
        ensure!(
            verdict == DROP,
            "a packet over the limit was given the verdict {verdict}"
        );
        ensure!(
            begin <= latest,
            "a window of {milliseconds} ms had passed, and a packet was still dropped"
        );
        dropped += 1;
        thread::sleep(Duration::from_millis(10));
    }
    set_limit(answer, limit, HOUR)?;
    up_to_limit(answer, source, 1, limit)?;
    sends(
        answer,
        source,
        DROP,
        "a packet over the limit, in the second window,",
    )?;
    known(answer, source, limit, dropped + 1)
}

fn not_limited(answer: &mut LoadedAnswer) -> Result<()> {
    set_limit(answer, 1, HOUR)?;
    let packet = packet_from(fastrand::u32(..))?;
    let other = frame::udp_frame(frame::ipv6_packet(), frame::any_port(), b"hello")?;
    for _ in 0..3 {
        frame::check_verdict(PASS, answer, "limit_rate", &other, "a packet in IPv6")?;
        // At each byte: the address may be there, and the header not whole.
        for end in 14..34 {
            frame::check_verdict(
                PASS,
                answer,
                "limit_rate",
                &packet[..end],
                "a packet that was cut off in its IPv4 header",
            )?;
        }
    }
    Ok(())
}

fn set_limit(answer: &mut LoadedAnswer, packets: u64, window: Duration) -> Result<()> {
    let limit = [packets, u64::try_from(window.as_nanos())?];
    answer
        .array_mut::<[u64; 2]>("LIMIT")?
        .set(0, limit, 0)
        .context("set LIMIT")
}

/// The packets after this many, and up to as many as may pass.
fn up_to_limit(answer: &mut LoadedAnswer, source: u32, passed: u64, limit: u64) -> Result<()> {
    for number in passed + 1..=limit {
        sends(
            answer,
            source,
            PASS,
            &format!("packet {number} of a source that may send {limit}"),
        )?;
    }
    Ok(())
}

fn sends(answer: &mut LoadedAnswer, source: u32, verdict: u32, what: &str) -> Result<()> {
    frame::check_verdict(verdict, answer, "limit_rate", &packet_from(source)?, what)
}

fn packet_from(source: u32) -> Result<Vec<u8>> {
    let packet =
        frame::ethernet_header().ipv4(source.to_be_bytes(), fastrand::u32(..).to_be_bytes(), 64);
    frame::udp_frame(packet, frame::any_port(), b"hello")
}

fn known(answer: &LoadedAnswer, source: u32, passed: u64, dropped: u64) -> Result<()> {
    let entry = answer
        .hash_map::<[u8; 4], [u64; 3]>("SOURCES")?
        .get(&source.to_be_bytes(), 0)
        .ok();
    let [_, said_passed, said_dropped] =
        entry.context("a source sent packets, and SOURCES has no entry for it")?;
    ensure!(
        (said_passed, said_dropped) == (passed, dropped),
        "{passed} packets of a source were passed in its window, and {dropped} were dropped; \
         SOURCES says {said_passed} and {said_dropped}"
    );
    Ok(())
}
