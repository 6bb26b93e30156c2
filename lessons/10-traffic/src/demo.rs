//! The demo: each program with the same network and the same client.

use std::fs::File;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::AsFd as _;

use anyhow::{Context as _, Result, ensure};
use common::say;
use network::packet_socket::PacketSocket;
use nix::sys::socket::{getsockopt, sockopt};

use crate::program::{BoxedProgram, TcHold, TrafficProgram};
use crate::servers::{ask_tcp, ask_udp};
use crate::workload::{SERVERS, SERVICE, Workload, endpoint, ipv4, ipv6};

const ONE: (u8, u16) = SERVERS[0].1;
const TWO: (u8, u16) = SERVERS[1].1;

// ANCHOR: demo
/// `load` loads a program with one of the two libraries.
pub fn run_demo(
    load: impl Fn(TrafficProgram) -> Result<BoxedProgram>,
    cgroup: &File,
) -> Result<()> {
    let network = Workload::set_up()?;
    say("network    c0 ==== s0   client and server have a network namespace each")?;
    say("  service  10.10.0.8   fd10::8   port 80, where nothing listens")?;
    say("  one      10.10.0.1   fd10::1   port 8001")?;
    say("  two      10.10.0.2   fd10::2   port 8002")?;
    show_tcp(&network, service_v4())?;
    show_balance(&network, load(TrafficProgram::Balance)?)?;
    show_connect(&network, load(TrafficProgram::Connect)?, cgroup)?;
    show_timeout(&network, load(TrafficProgram::Timeout)?, cgroup)?;
    show_protocols(&network, load(TrafficProgram::Protocols)?)?;
    say("\nend        the namespaces, links and sockets end with this process")
}
// ANCHOR_END: demo

// ANCHOR: balance
fn show_balance(network: &Workload, mut program: BoxedProgram) -> Result<()> {
    set_endpoints(&mut program)?;
    let hold = match program.attach_tc(&network.server)? {
        TcHold::Link => "links (tcx)",
        TcHold::Filter => "filters (clsact)",
    };
    say(&format!("\nbalance    attached to s0 with {hold}"))?;
    for to in [service_v4(), service_v4(), service_v6(), service_v6()] {
        show_tcp(network, to)?;
    }
    for to in [service_v4(), service_v6()] {
        show_udp(network, to)?;
    }
    let mut open = [connect(network)?, connect(network)?];
    ensure!(ask_tcp(&mut open[1])? == "two", "two is not next");
    program.set_backend(1, &endpoint(TWO, false))?;
    say("  two is down")?;
    for _ in 0..3 {
        show_tcp(network, service_v4())?;
    }
    let answer = ask_tcp(&mut open[1])?;
    say(&format!("  a connection from before: {answer}"))
}
// ANCHOR_END: balance

fn show_connect(network: &Workload, mut program: BoxedProgram, cgroup: &File) -> Result<()> {
    set_endpoints(&mut program)?;
    program.attach_cgroup(cgroup.as_fd())?;
    say("\nconnect    attached to the cgroup of this process with links")?;
    for to in [service_v4(), service_v4(), service_v6(), service_v6()] {
        show_tcp(network, to)?;
    }
    let peer = connect(network)?.peer_addr();
    say(&format!("  getpeername  {}", peer.context("no peer")?))?;
    for (index, name, at) in [(0, "one", ONE), (1, "two", TWO)] {
        program.set_backend(index, &endpoint(at, false))?;
        say(&format!("  {name} is down"))?;
        show_tcp(network, service_v4())?;
    }
    Ok(())
}

fn show_timeout(network: &Workload, mut program: BoxedProgram, cgroup: &File) -> Result<()> {
    program.set_service(&endpoint(ONE, true))?;
    program.attach_cgroup(cgroup.as_fd())?;
    say("\ntimeout    attached to the cgroup of this process, for port 8001")?;
    for (host, port) in [ONE, TWO] {
        let to = SocketAddr::new(ipv4(host), port);
        let stream = network.connect(to)?.context("cannot connect")?;
        let timeout = getsockopt(&stream, sockopt::TcpUserTimeout)?;
        say(&format!("  tcp  {to:15}  TCP_USER_TIMEOUT {timeout:4} ms"))?;
    }
    Ok(())
}

fn show_protocols(network: &Workload, mut program: BoxedProgram) -> Result<()> {
    let socket = PacketSocket::open(&network.server)?;
    program.attach_socket(socket.as_fd())?;
    say("\nprotocols  attached to a packet socket on s0")?;
    let (one, two) = (
        SocketAddr::new(ipv4(ONE.0), ONE.1),
        SocketAddr::new(ipv6(TWO.0), TWO.1),
    );
    for to in [one, two] {
        show_tcp(network, to)?;
    }
    show_udp(network, one)?;
    network.ping(ONE.0)?;
    say("  ping 10.10.0.1")?;
    say(&format!("  counted:{}", program.read_counters()?))
}

fn service_v4() -> SocketAddr {
    SocketAddr::new(ipv4(SERVICE.0), SERVICE.1)
}

fn service_v6() -> SocketAddr {
    SocketAddr::new(ipv6(SERVICE.0), SERVICE.1)
}

fn set_endpoints(program: &mut BoxedProgram) -> Result<()> {
    program.set_service(&endpoint(SERVICE, true))?;
    program.set_backend(0, &endpoint(ONE, true))?;
    program.set_backend(1, &endpoint(TWO, true))
}

/// A connection to the service that must succeed.
fn connect(network: &Workload) -> Result<TcpStream> {
    let connected = network.connect(service_v4())?;
    connected.context("cannot connect to the service")
}

/// Connects, and says who answers, or why nobody does.
fn show_tcp(network: &Workload, to: SocketAddr) -> Result<()> {
    let result = match network.connect(to)? {
        Ok(mut stream) => ask_tcp(&mut stream)?,
        Err(error) => error.kind().to_string(),
    };
    say(&format!("  tcp  {to:15}  {result}"))
}

/// Sends two datagrams from one socket, and says who answers.
fn show_udp(network: &Workload, to: SocketAddr) -> Result<()> {
    let socket = network.open_udp(to.is_ipv4())?;
    let (first, second) = (ask_udp(&socket, to)?, ask_udp(&socket, to)?);
    say(&format!("  udp  {to:15}  {first}, {second}"))
}
