//! Tests of the eBPF programs, with the lesson's own network and with BPF_PROG_TEST_RUN, which runs
//! a loaded program on a frame and returns the frame as it left it.
//!
//! They need root, on any kernel:
//!
//! ```console
//! $ cargo test --package traffic -- --ignored
//! ```

mod frames;

use std::fs::File;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::os::fd::AsFd as _;
use std::thread;

use crate::program::{BoxedProgram, LoadedProgram, TrafficProgram};
use crate::servers::{ask_tcp, ask_udp};
use crate::workload::{SERVERS, SERVICE, Workload, endpoint, ipv4, ipv6};

const THREADS: usize = 4;
const CONNECTIONS: usize = 64;

/// Each program with each library.
fn for_each_library(program: TrafficProgram, test: impl Fn(BoxedProgram)) {
    test(Box::new(crate::aya::load(program).expect("aya loads it")));
    test(Box::new(
        crate::libbpf::load(program).expect("libbpf loads it"),
    ));
}

fn set_endpoints(program: &mut (impl LoadedProgram + ?Sized)) {
    program
        .set_service(&endpoint(SERVICE, true))
        .expect("a map");
    for index in 0..SERVERS.len() {
        set_health(program, index, true);
    }
}

fn set_health(program: &mut (impl LoadedProgram + ?Sized), index: usize, is_up: bool) {
    let backend = endpoint(SERVERS[index].1, is_up);
    program.set_backend(index as u32, &backend).expect("a map");
}

fn services() -> [SocketAddr; 2] {
    [ipv4(SERVICE.0), ipv6(SERVICE.0)].map(|address| SocketAddr::new(address, SERVICE.1))
}

/// Many connections from several threads stay with their backends, whatever becomes of these. What
/// is new goes to one that is up.
#[test]
#[ignore = "needs root"]
fn a_connection_stays_with_its_backend() {
    for_each_library(TrafficProgram::Balance, |mut program| {
        let network = Workload::set_up().expect("a network");
        set_endpoints(&mut *program);
        program.attach_tc(&network.server).expect("it attaches");
        let storm = || {
            let mut open = Vec::new();
            for number in 0..CONNECTIONS {
                let connected = network.connect(services()[number % 2]);
                let mut stream = connected.expect("namespaces").expect("it connects");
                let name = ask_tcp(&mut stream).expect("an answer");
                open.push((stream, name));
            }
            for (stream, name) in &mut open {
                assert_eq!(ask_tcp(stream).expect("an answer"), *name);
            }
            open
        };
        let mut open = Vec::new();
        thread::scope(|scope| {
            let threads: Vec<_> = (0..THREADS).map(|_| scope.spawn(storm)).collect();
            for thread in threads {
                open.extend(thread.join().expect("it ends well"));
            }
        });
        let of_one = open.iter().filter(|(_, name)| name == "one").count();
        assert!(of_one > 0 && of_one < open.len(), "{of_one} have one");

        for (down, other) in [(0, "two"), (1, "one")] {
            set_health(&mut *program, 0, down != 0);
            set_health(&mut *program, 1, down != 1);
            for to in services().repeat(8) {
                let connected = network.connect(to).expect("namespaces");
                let mut stream = connected.expect("it connects");
                assert_eq!(ask_tcp(&mut stream).expect("an answer"), other);
                let socket = network.open_udp(to.is_ipv4()).expect("a socket");
                assert_eq!(ask_udp(&socket, to).expect("an answer"), other);
            }
            for (stream, name) in &mut open {
                assert_eq!(ask_tcp(stream).expect("an answer"), *name);
            }
        }
        drop(open);
        drop(program);
        for to in services() {
            let refused = network.connect(to).expect("namespaces");
            let kind = refused.expect_err("nothing is attached").kind();
            assert_eq!(kind, ErrorKind::ConnectionRefused);
        }
    });
}

/// The same at the socket, where a socket has one backend from the start.
#[test]
#[ignore = "needs root"]
fn a_socket_connects_to_a_backend_that_is_up() {
    for_each_library(TrafficProgram::Connect, |mut program| {
        let network = Workload::set_up().expect("a network");
        set_endpoints(&mut *program);
        let cgroup = File::open("/sys/fs/cgroup").expect("cgroup2 is mounted");
        program.attach_cgroup(cgroup.as_fd()).expect("it attaches");
        for (one, two) in [(true, true), (false, true), (true, false)] {
            set_health(&mut *program, 0, one);
            set_health(&mut *program, 1, two);
            for to in services().repeat(CONNECTIONS / 2) {
                let connected = network.connect(to).expect("namespaces");
                let mut stream = connected.expect("it connects");
                assert_eq!(stream.peer_addr().expect("a peer"), to);
                let name = ask_tcp(&mut stream).expect("an answer");
                assert!(if name == "one" { one } else { two }, "{name} is down");
            }
        }
        // Another address is none of its business.
        for (name, (host, port)) in SERVERS {
            for address in [ipv4(host), ipv6(host)] {
                let to = SocketAddr::new(address, port);
                let connected = network.connect(to).expect("namespaces");
                let mut stream = connected.expect("it connects");
                assert_eq!(ask_tcp(&mut stream).expect("an answer"), name);
                assert_eq!(stream.peer_addr().expect("a peer"), to);
            }
        }
        // A socket that is connected a second time hears its new peer.
        let (host, port) = SERVERS[1].1;
        for (to, other) in services().into_iter().zip([ipv4(host), ipv6(host)]) {
            let socket = network.open_udp(to.is_ipv4()).expect("a socket");
            for peer in [to, SocketAddr::new(other, port)] {
                socket.connect(peer).expect("it connects");
                assert_eq!(socket.peer_addr().expect("a peer"), peer);
            }
        }
    });
}
