//! Lesson 07. A program that the verifier accepts must do its work as well: there is an easy way to
//! make any program load, which is to take out what it was for.

use std::process;

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::frame::{self, DROP, HEADERS, PASS};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::work;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "07/files-removed",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("count_removals", Hook::KProbe(&["vfs_unlink"]))],
            maps: &[MapSpec::hash::<u32, u64>("REMOVED")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the files that a thread removes",
                    holds: one_thread,
                },
                Check {
                    says: "counts each thread on its own, and files only",
                    holds: many_threads,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "07/block-port",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("block", Hook::Xdp)],
            maps: &[MapSpec::hash::<u16, u64>("BLOCKED")],
            globals: &[],
            checks: &[
                Check {
                    says: "drops datagrams to a blocked port, and counts them",
                    holds: blocked_port,
                },
                Check {
                    says: "finds the port behind IPv4 options",
                    holds: port_behind_options,
                },
                Check {
                    says: "passes all else, and frames that end early",
                    holds: not_blocked,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "07/what-was-written",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("watch_writes", Hook::KProbe(&["vfs_write"]))],
            maps: &[MapSpec::ring_buf("WRITTEN")],
            globals: &[],
            checks: &[
                Check {
                    says: "reports what fits the record",
                    holds: short_writes,
                },
                Check {
                    says: "reports the beginning of what is longer",
                    holds: long_writes,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "07/who-signals",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("on_kill", Hook::Tracepoint("syscalls/sys_enter_kill"))],
            maps: &[MapSpec::ring_buf("SIGNALS")],
            globals: &[],
            checks: &[
                Check {
                    says: "reports signals",
                    holds: signals,
                },
                Check {
                    says: "says nothing of signal 0",
                    holds: no_signals,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "07/next-server",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("choose", Hook::Xdp)],
            maps: &[MapSpec::array::<[u64; 2]>("SERVERS")],
            globals: &[],
            checks: &[
                Check {
                    says: "chooses by the source address",
                    holds: servers_up,
                },
                Check {
                    says: "goes on to the next that is up",
                    holds: servers_down,
                },
                Check {
                    says: "drops what no server is up for, and passes the rest",
                    holds: no_server,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "07/capture",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("capture", Hook::Classifier)],
            maps: &[MapSpec::ring_buf("CAPTURED")],
            globals: &[],
            checks: &[
                Check {
                    says: "captures frames",
                    holds: captures,
                },
                Check {
                    says: "leaves out frames that are too short",
                    holds: too_short,
                },
            ],
        }),
    },
];

// --- files-removed

fn one_thread(answer: &mut LoadedAnswer) -> Result<()> {
    let times = fastrand::u64(2..9);
    let thread = work::in_a_thread(move || work::remove_files(times))?;
    removed(answer, thread, times)
}

fn many_threads(answer: &mut LoadedAnswer) -> Result<()> {
    let many = (0..4).map(|_| fastrand::u64(1..9));
    let threads = many
        .map(|times| Ok((work::in_a_thread(move || work::remove_files(times))?, times)))
        .collect::<Result<Vec<_>>>()?;
    let other = work::in_a_thread(|| work::remove_directories(3))?;
    threads
        .into_iter()
        .try_for_each(|(thread, times)| removed(answer, thread, times))?;
    let counted = answer
        .hash_map::<u32, u64>("REMOVED")?
        .get(&other, 0)
        .unwrap_or(0);
    ensure!(
        counted == 0,
        "thread {other} removed 3 directories and no file, and REMOVED says {counted}"
    );
    Ok(())
}

fn removed(answer: &LoadedAnswer, thread: u32, times: u64) -> Result<()> {
    let count = answer.hash_map::<u32, u64>("REMOVED")?.get(&thread, 0).ok();
    let count = count.with_context(|| {
        format!("thread {thread} removed {times} files, and REMOVED has no entry for it")
    })?;
    ensure!(
        count == times,
        "thread {thread} removed {times} files, and REMOVED says {count}"
    );
    Ok(())
}

// --- block-port

fn blocked_port(answer: &mut LoadedAnswer) -> Result<()> {
    let ports = blocked(answer)?;
    let open = frame::any_port();
    for port in ports {
        let times = fastrand::u64(1..6);
        for _ in 0..times {
            let datagram = frame::udp_frame(
                frame::ipv4_packet(),
                port,
                &frame::any_payload(fastrand::usize(0..100)),
            )?;
            frame::check_verdict(
                DROP,
                answer,
                "block",
                &datagram,
                &format!("a datagram to the blocked port {port}"),
            )?;
        }
        counted(answer, port, times)?;
    }
    let datagram = frame::udp_frame(frame::ipv4_packet(), open, b"hello")?;
    frame::check_verdict(
        PASS,
        answer,
        "block",
        &datagram,
        &format!("a datagram to port {open}, which is not blocked,"),
    )
}

fn port_behind_options(answer: &mut LoadedAnswer) -> Result<()> {
    let [port, other] = blocked(answer)?;
    for words in [1, fastrand::usize(2..10), 10] {
        let bytes = words * 4;
        // What would be the port, if there were no options.
        let options = other.to_be_bytes().repeat(words * 2);
        let open = frame::any_port();
        let datagram = frame::udp_frame(frame::ipv4_packet_with(&options)?, port, b"hello")?;
        let what =
            format!("a datagram to the blocked port {port}, behind {bytes} bytes of options,");
        frame::check_verdict(DROP, answer, "block", &datagram, &what)?;
        let datagram = frame::udp_frame(frame::ipv4_packet_with(&options)?, open, b"hello")?;
        let what = format!(
            "a datagram to port {open}, which is not blocked, behind {bytes} bytes of options,"
        );
        frame::check_verdict(PASS, answer, "block", &datagram, &what)?;
    }
    counted(answer, port, 3)?;
    counted(answer, other, 0)
}

fn not_blocked(answer: &mut LoadedAnswer) -> Result<()> {
    let [port, other] = blocked(answer)?;
    let mut fragment = frame::udp_frame(frame::ipv4_packet(), port, b"hello")?;
    // The place in the datagram, in units of 8 bytes, is at byte 6 of the second header.
    fragment[14 + 6..14 + 8].copy_from_slice(&fastrand::u16(1..0x1fff).to_be_bytes());
    let others = [
        (
            "a TCP segment",
            frame::tcp_frame(frame::ipv4_packet(), port, b"hello")?,
        ),
        (
            "a datagram in IPv6",
            frame::udp_frame(frame::ipv6_packet(), port, b"hello")?,
        ),
        ("a later fragment", fragment),
    ];
    for (what, frame) in others {
        frame::check_verdict(PASS, answer, "block", &frame, what)?;
    }
    let options = other.to_be_bytes().repeat(2 * fastrand::usize(0..10));
    let datagram = frame::udp_frame(frame::ipv4_packet_with(&options)?, port, b"")?;
    for end in 14..datagram.len() {
        let what = format!(
            "a datagram of {} bytes, cut off after {end},",
            datagram.len()
        );
        frame::check_verdict(PASS, answer, "block", &datagram[..end], &what)?;
    }
    frame::check_verdict(
        DROP,
        answer,
        "block",
        &datagram,
        "a datagram to a blocked port, with nothing in it,",
    )?;
    counted(answer, port, 1)
}

/// Blocks two ports.
fn blocked(answer: &mut LoadedAnswer) -> Result<[u16; 2]> {
    let ports = [frame::any_port(), frame::any_port()];
    let mut map = answer.hash_mut::<u16, u64>("BLOCKED")?;
    ports
        .iter()
        .try_for_each(|port| map.insert(port, 0, 0))
        .context("write to BLOCKED")?;
    Ok(ports)
}

fn counted(answer: &LoadedAnswer, port: u16, times: u64) -> Result<()> {
    let count = answer.hash_map::<u16, u64>("BLOCKED")?.get(&port, 0).ok();
    let count = count.with_context(|| format!("the entry of port {port} is gone from BLOCKED"))?;
    ensure!(
        count == times,
        "{times} datagrams to port {port} were to be dropped, and BLOCKED says {count}"
    );
    Ok(())
}

// --- what-was-written

/// Bytes of a text that a record has room for.
const SHOWN: usize = 64;

fn short_writes(answer: &mut LoadedAnswer) -> Result<()> {
    writes(
        answer,
        &[
            1,
            fastrand::usize(2..SHOWN),
            fastrand::usize(2..SHOWN),
            SHOWN,
        ],
    )
}

fn long_writes(answer: &mut LoadedAnswer) -> Result<()> {
    writes(
        answer,
        &[
            SHOWN + 1,
            fastrand::usize(SHOWN + 1..1000),
            fastrand::usize(1000..5000),
            3,
        ],
    )
}

fn writes(answer: &mut LoadedAnswer, lengths: &[usize]) -> Result<()> {
    // What others wrote in the meantime.
    answer.read_records::<72>("WRITTEN")?;
    let texts: Vec<_> = lengths
        .iter()
        .map(|length| frame::any_payload(*length))
        .collect();
    let written = texts.clone();
    let thread = work::in_a_thread(move || work::write_to_file(&written))?;
    let records = answer.read_records::<72>("WRITTEN")?;
    let of_thread: Vec<_> = records
        .iter()
        .filter(|record| number(*record, 0) == thread)
        .collect();
    ensure!(
        of_thread.len() == texts.len(),
        "thread {thread} wrote {} times, and WRITTEN has {} records of it",
        texts.len(),
        of_thread.len()
    );
    of_thread
        .into_iter()
        .zip(&texts)
        .try_for_each(|(record, text)| reported(record, text))
}

fn reported(record: &[u8; 72], text: &[u8]) -> Result<()> {
    let (length, said) = (text.len(), number(record, 4));
    ensure!(
        said as usize == length,
        "{length} bytes were written, and the record says {said}"
    );
    let mut start = text[..length.min(SHOWN)].to_vec();
    start.resize(SHOWN, 0);
    let wrong = start
        .iter()
        .zip(&record[8..])
        .position(|(expected, seen)| expected != seen);
    match wrong {
        Some(at) => anyhow::bail!(
            "{length} bytes were written; byte {at} of `start` should be {}, and is {}",
            start[at],
            record[8 + at]
        ),
        None => Ok(()),
    }
}

// --- who-signals

/// They do nothing to who has not asked for them.
const HARMLESS: [Signal; 3] = [Signal::SIGCHLD, Signal::SIGURG, Signal::SIGWINCH];

fn signals(answer: &mut LoadedAnswer) -> Result<()> {
    let sent: Vec<Signal> = (0..fastrand::usize(3..9))
        .map(|_| HARMLESS[fastrand::usize(..3)])
        .collect();
    for signal in &sent {
        kill(Pid::this(), *signal).context("send a signal")?;
    }
    let own = process::id().cast_signed();
    told(
        answer,
        &sent
            .iter()
            .map(|signal| (own, *signal as i32))
            .collect::<Vec<_>>(),
    )
}

fn no_signals(answer: &mut LoadedAnswer) -> Result<()> {
    let mut sent = Vec::new();
    for _ in 0..200 {
        kill(Pid::this(), None).context("ask for a process")?;
        if fastrand::u8(..) < 10 {
            // No system has that many processes: nobody gets the signal.
            let nobody = Pid::from_raw(fastrand::i32(5_000_000..i32::MAX));
            let signal = HARMLESS[fastrand::usize(..3)];
            let refused = kill(nobody, signal);
            ensure!(
                refused == Err(Errno::ESRCH),
                "process {nobody} was not to exist"
            );
            sent.push((nobody.as_raw(), signal as i32));
        }
    }
    told(answer, &sent)
}

fn told(answer: &mut LoadedAnswer, sent: &[(i32, i32)]) -> Result<()> {
    let records = answer.read_records::<12>("SIGNALS")?;
    let of_own = records
        .iter()
        .filter(|record| number(*record, 0) == process::id());
    let told: Vec<_> = of_own
        .map(|record| {
            (
                number(record, 4).cast_signed(),
                number(record, 8).cast_signed(),
            )
        })
        .collect();
    let in_words = |signals: &[(i32, i32)]| {
        let each = signals
            .iter()
            .map(|(target, number)| format!("{number} to {target}"));
        each.collect::<Vec<_>>().join(", ")
    };
    ensure!(
        told == sent,
        "process {} sent the signals [{}], and SIGNALS has [{}] of it",
        process::id(),
        in_words(sent),
        in_words(&told)
    );
    Ok(())
}

// --- next-server

const SERVERS: u32 = 8;

fn servers_up(answer: &mut LoadedAnswer) -> Result<()> {
    let all = [true; SERVERS as usize];
    (0..SERVERS).try_for_each(|server| chosen(answer, any_client_of(server), all))
}

fn servers_down(answer: &mut LoadedAnswer) -> Result<()> {
    // From each server on: for some, the next that is up is at the start of the array.
    for first in 0..SERVERS {
        for steps in 0..SERVERS {
            // The nearest that is up, and some behind it.
            let up = |step: u32| step == steps || step > steps && fastrand::bool();
            let mut servers = [false; SERVERS as usize];
            for step in 0..SERVERS {
                servers[((first + step) % SERVERS) as usize] = up(step);
            }
            chosen(answer, any_client_of(first), servers)?;
        }
    }
    Ok(())
}

/// An address whose packets are for this server.
fn any_client_of(server: u32) -> u32 {
    fastrand::u32(..u32::MAX / SERVERS) * SERVERS + server
}

fn no_server(answer: &mut LoadedAnswer) -> Result<()> {
    let nobody = [false; SERVERS as usize];
    set_servers(answer, nobody)?;
    let frame = frame::udp_frame(frame::ipv4_packet(), frame::any_port(), b"hello")?;
    frame::check_verdict(
        DROP,
        answer,
        "choose",
        &frame,
        "a packet that no server was up for",
    )?;
    let other = frame::udp_frame(frame::ipv6_packet(), frame::any_port(), b"hello")?;
    frame::check_verdict(PASS, answer, "choose", &other, "a packet in IPv6")?;
    // At each byte: the address may be there, and the header not whole.
    for end in 14..34 {
        frame::check_verdict(
            PASS,
            answer,
            "choose",
            &frame[..end],
            "a packet that was cut off in its IPv4 header",
        )?;
    }
    frames_of(
        answer,
        [0; SERVERS as usize],
        "nothing that is for a server was sent",
    )
}

/// Sends packets from this address, with these servers up.
fn chosen(answer: &mut LoadedAnswer, from: u32, up: [bool; SERVERS as usize]) -> Result<()> {
    set_servers(answer, up)?;
    let mut expected = [0; SERVERS as usize];
    let first = from % SERVERS;
    let server = (first..first + SERVERS)
        .map(|number| number % SERVERS)
        .find(|number| up[*number as usize]);
    let server = server.context("find a server that is up")?;
    let times = fastrand::u64(1..4);
    for _ in 0..times {
        let packet =
            frame::ethernet_header().ipv4(from.to_be_bytes(), fastrand::u32(..).to_be_bytes(), 64);
        let frame = frame::udp_frame(packet, frame::any_port(), b"hello")?;
        frame::check_verdict(
            PASS,
            answer,
            "choose",
            &frame,
            &format!("a packet for server {server}"),
        )?;
    }
    expected[server as usize] = times;
    let up: Vec<u32> = (0..SERVERS).filter(|number| up[*number as usize]).collect();
    frames_of(
        answer,
        expected,
        &format!("{times} packets were for server {first}, with {up:?} up"),
    )
}

fn set_servers(answer: &mut LoadedAnswer, up: [bool; SERVERS as usize]) -> Result<()> {
    let mut servers = answer.array_mut::<[u64; 2]>("SERVERS")?;
    up.iter()
        .zip(0..)
        .try_for_each(|(up, number)| servers.set(number, [u64::from(*up), 0], 0))
        .context("set SERVERS")
}

fn frames_of(answer: &LoadedAnswer, expected: [u64; SERVERS as usize], what: &str) -> Result<()> {
    let servers = answer.array_map::<[u64; 2]>("SERVERS")?;
    let seen = (0..SERVERS)
        .map(|number| Ok(servers.get(&number, 0)?[1]))
        .collect::<Result<Vec<_>>>()?;
    ensure!(
        seen == expected,
        "{what}: the frames of the servers should be {expected:?}, and are {seen:?}"
    );
    Ok(())
}

// --- capture

/// Bytes at either end of a frame, and of a record.
const PART: usize = 256;
const CAPTURED: usize = 4 + 4 + PART;

fn captures(answer: &mut LoadedAnswer) -> Result<()> {
    for length in [
        PART,
        fastrand::usize(PART + 1..600),
        fastrand::usize(600..1514),
        1514,
    ] {
        let frame = frame_of(length)?;
        let records = captured(answer, &frame)?;
        let record = match &records[..] {
            [record] => record,
            other => {
                anyhow::bail!(
                    "a frame of {length} bytes was sent, and CAPTURED has {} records",
                    other.len()
                )
            }
        };
        let said = number(record, 0);
        ensure!(
            said as usize == length,
            "a frame of {length} bytes was sent, and its record says {said}"
        );
        ensure!(
            record[8..] == frame[..PART],
            "the record of a frame of {length} bytes does not begin as the frame"
        );
        let (expected, said) = (sum(&frame[length - PART..]), number(record, 4));
        ensure!(
            said == expected,
            "the sum of a frame of {length} bytes should be {expected:#x}, and its record says \
             {said:#x}"
        );
    }
    Ok(())
}

fn too_short(answer: &mut LoadedAnswer) -> Result<()> {
    for length in [HEADERS, fastrand::usize(HEADERS..PART), PART - 1] {
        let records = captured(answer, &frame_of(length)?)?.len();
        ensure!(
            records == 0,
            "a frame of {length} bytes was sent, and CAPTURED has {records} records"
        );
    }
    captures(answer)
}

fn captured(answer: &mut LoadedAnswer, frame: &[u8]) -> Result<Vec<[u8; CAPTURED]>> {
    let verdict = answer.run_on_frame("capture", frame)?.verdict;
    ensure!(
        verdict == 0,
        "a frame of {} bytes got the verdict {verdict}, and should be let go (0)",
        frame.len()
    );
    answer.read_records("CAPTURED")
}

fn frame_of(length: usize) -> Result<Vec<u8>> {
    frame::udp_frame(
        frame::ipv4_packet(),
        frame::any_port(),
        &frame::any_payload(length - HEADERS),
    )
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum: u32, byte| {
        sum.wrapping_mul(31).wrapping_add((*byte).into())
    })
}

/// The 32 bits at this place in a record.
fn number(record: &[u8], at: usize) -> u32 {
    record[at..]
        .first_chunk()
        .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
}
