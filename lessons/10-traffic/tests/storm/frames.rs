//! What `to_backend` and `to_client` make of frames. A parser of another crate builds each frame,
//! and the one that is expected of it, with checksums from scratch.

use std::net::{IpAddr, SocketAddr};

use aya::TestRunOptions;
use aya::programs::{SchedClassifier, TestRun as _};
use etherparse::{IpHeaders, Ipv4Header, Ipv4Options, Ipv6Header, PacketBuilder};
use libbpf_rs::ProgramInput;
use network::frame::{CLIENT, SERVER, ping_frame};

use super::{services, set_endpoints, set_health};
use crate::aya::AyaProgram;
use crate::libbpf::LibbpfProgram;
use crate::program::{LoadedProgram, TrafficProgram};
use crate::workload::{SERVERS, SERVICE, ipv4, ipv6};

const UNSPEC: u32 = u32::MAX;
const SHOT: u32 = 2;
const MANY: u16 = 500;

/// What BPF_PROG_TEST_RUN does, whichever library loaded the program.
trait TestedProgram: LoadedProgram {
    /// The verdict, and the frame as the program left it.
    fn run(&self, name: &str, frame: &[u8]) -> (u32, Vec<u8>);
}

impl TestedProgram for AyaProgram {
    fn run(&self, name: &str, frame: &[u8]) -> (u32, Vec<u8>) {
        let program: &SchedClassifier = self.0.program(name).expect(name).try_into().expect(name);
        let mut after = vec![0; frame.len()];
        let result = program.test_run(TestRunOptions {
            data_in: Some(frame),
            data_out: Some(&mut after),
            repeat: 1,
            ..TestRunOptions::default()
        });
        (result.expect("it runs").return_value, after)
    }
}

impl TestedProgram for LibbpfProgram {
    fn run(&self, name: &str, frame: &[u8]) -> (u32, Vec<u8>) {
        let mut programs = self.object.progs_mut();
        let program = programs.find(|program| program.name() == name).expect(name);
        let mut after = vec![0; frame.len()];
        let result = program.test_run(ProgramInput {
            data_in: Some(frame),
            data_out: Some(&mut after),
            repeat: 1,
            ..ProgramInput::default()
        });
        (result.expect("it runs").return_value, after)
    }
}

fn for_each_library(test: impl Fn(&mut dyn TestedProgram)) {
    let mut aya = crate::aya::load(TrafficProgram::Balance).expect("aya loads it");
    set_endpoints(&mut aya);
    test(&mut aya);
    let mut libbpf = crate::libbpf::load(TrafficProgram::Balance).expect("libbpf loads it");
    set_endpoints(&mut libbpf);
    test(&mut libbpf);
}

#[derive(Clone, Copy, Debug)]
enum Protocol {
    Tcp,
    Udp,
}

/// A whole frame with right checksums. Its data and its IP options differ with its number.
fn build(protocol: Protocol, from: SocketAddr, to: SocketAddr, number: u16) -> Vec<u8> {
    let headers = match (from.ip(), to.ip()) {
        (IpAddr::V4(source), IpAddr::V4(destination)) => {
            let options = vec![1; usize::from(number % 3) * 4];
            let header = Ipv4Header {
                time_to_live: 64,
                source: source.octets(),
                destination: destination.octets(),
                options: Ipv4Options::try_from(&options[..]).expect("they fit"),
                ..Ipv4Header::default()
            };
            IpHeaders::Ipv4(header, Default::default())
        }
        (IpAddr::V6(source), IpAddr::V6(destination)) => {
            let header = Ipv6Header {
                hop_limit: 64,
                source: source.octets(),
                destination: destination.octets(),
                ..Ipv6Header::default()
            };
            IpHeaders::Ipv6(header, Default::default())
        }
        _ => panic!("{from} and {to} are of one family"),
    };
    let (mut frame, bytes) = (Vec::new(), number.to_be_bytes());
    let data = &bytes.repeat(50)[..usize::from(number % 99)];
    let ip = PacketBuilder::ethernet2(CLIENT, SERVER).ip(headers);
    let written = match protocol {
        Protocol::Tcp => {
            let tcp = ip.tcp(from.port(), to.port(), number.into(), 1024).ack(7);
            tcp.write(&mut frame, data)
        }
        Protocol::Udp => ip.udp(from.port(), to.port()).write(&mut frame, data),
    };
    written.expect("it fits");
    frame
}

fn client(family: fn(u8) -> IpAddr, number: u16) -> SocketAddr {
    SocketAddr::new(
        family((number % 200) as u8 + 20),
        number.wrapping_mul(131) | 1,
    )
}

/// To the service, then back from the backend.
#[test]
#[ignore = "needs root"]
fn every_checksum_is_right() {
    for_each_library(|program| {
        let mut reached = [0; SERVERS.len()];
        for family in [ipv4 as fn(u8) -> IpAddr, ipv6] {
            let service = SocketAddr::new(family(SERVICE.0), SERVICE.1);
            for (protocol, number) in [Protocol::Tcp, Protocol::Udp]
                .into_iter()
                .flat_map(|protocol| (0..MANY).map(move |number| (protocol, number)))
            {
                let client = client(family, number);
                let context = format!("{protocol:?} {number} from {client}");
                let frame = build(protocol, client, service, number);
                let (verdict, after) = program.run("to_backend", &frame);
                assert_eq!(verdict, UNSPEC, "{context}");
                let backend = SERVERS.iter().position(|(_, (host, port))| {
                    let backend = SocketAddr::new(family(*host), *port);
                    after == build(protocol, client, backend, number)
                });
                let backend = backend.unwrap_or_else(|| panic!("{context}: {after:02x?}"));
                reached[backend] += 1;

                let (host, port) = SERVERS[backend].1;
                let from = SocketAddr::new(family(host), port);
                let (verdict, after) =
                    program.run("to_client", &build(protocol, from, client, number));
                assert_eq!(verdict, UNSPEC, "{context}");
                assert_eq!(after, build(protocol, service, client, number), "{context}");
            }
        }
        assert!(reached.iter().all(|&frames| frames > MANY), "{reached:?}");
    });
}

/// "No checksum" stays so.
#[test]
#[ignore = "needs root"]
fn a_datagram_without_a_checksum_gets_none() {
    for_each_library(|program| {
        let (client, service) = (client(ipv4, 3), services()[0]);
        let mut frame = build(Protocol::Udp, client, service, 0);
        frame[40..42].fill(0);
        let (verdict, after) = program.run("to_backend", &frame);
        assert_eq!((verdict, &after[40..42]), (UNSPEC, &[0, 0][..]));
        assert_ne!(after[30..34], frame[30..34]);
    });
}

#[test]
#[ignore = "needs root"]
fn what_is_not_for_the_service_stays_as_it_is() {
    for_each_library(|program| {
        let [service, service_v6] = services();
        let from = client(ipv4, 5);
        let mut fragment = build(Protocol::Udp, from, service, 30);
        fragment[20] |= 0x20; // more fragments follow
        let mut other_port = service;
        other_port.set_port(81);
        let mut cut = build(Protocol::Tcp, client(ipv6, 5), service_v6, 0);
        cut.truncate(60);
        for (name, frame) in [
            (
                "a ping",
                ping_frame(from.ip(), service.ip()).expect("one family"),
            ),
            ("a fragment", fragment),
            ("another port", build(Protocol::Tcp, from, other_port, 1)),
            (
                "another host",
                build(Protocol::Tcp, from, client(ipv4, 6), 1),
            ),
            ("half a header", cut),
        ] {
            for direction in ["to_backend", "to_client"] {
                let result = program.run(direction, &frame);
                assert_eq!(result, (UNSPEC, frame.clone()), "{name} {direction}");
            }
        }
        // From a backend, but to nobody who asked the service.
        let (host, port) = SERVERS[0].1;
        let backend = SocketAddr::new(ipv4(host), port);
        let frame = build(Protocol::Udp, backend, client(ipv4, 7), 1);
        assert_eq!(program.run("to_client", &frame), (UNSPEC, frame));
    });
}

#[test]
#[ignore = "needs root"]
fn without_a_backend_nothing_gets_through() {
    for_each_library(|program| {
        let frame = build(Protocol::Udp, client(ipv4, 1), services()[0], 1);
        for index in 0..SERVERS.len() {
            set_health(program, index, false);
        }
        assert_eq!(program.run("to_backend", &frame), (SHOT, frame));
    });
}
