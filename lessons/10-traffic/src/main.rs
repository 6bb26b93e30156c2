//! From a packet to a socket: a load balancer in tc, the same in a cgroup, and what else sees
//! traffic.

mod aya;
mod demo;
#[path = "../common/endpoint.rs"]
mod endpoint;
mod libbpf;
mod program;
mod servers;
mod workload;

#[cfg(test)]
#[path = "../tests/storm/mod.rs"]
mod storm;

use std::fs::{self, File};
use std::os::fd::AsFd as _;
use std::path::Path;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context as _, Result};
use clap::{ArgGroup, Parser};
use common::machine::{self, Need};
use common::{Implementation, NotReady, Stop, say};
use network::interface::Interface;
use network::packet_socket::PacketSocket;

use program::{BoxedProgram, ProtocolCounters, TrafficProgram};

/// No BTF: packets and the contexts of these programs are the same on every kernel.
const NEEDS: [Need; 1] = [Need::Root];

const CGROUPS: &str = "/sys/fs/cgroup";

/// How often the counters are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Runs eBPF programs between a packet and a socket: a load balancer in tc and in a cgroup, an
/// option of TCP, a count of protocols.
///
/// Example: traffic --demo
#[derive(Parser)]
#[command(version, group(ArgGroup::new("what").required(true)))]
struct Cli {
    /// Which of the two sets of programs to run; both do the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Show what each program does, in its own network namespaces
    #[arg(long, group = "what")]
    demo: bool,
    /// Count the connections, datagrams and pings on this interface, until Ctrl-C
    #[arg(short, long, value_name = "NAME", group = "what")]
    interface: Option<String>,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

// ANCHOR: main
fn run(cli: &Cli) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &NEEDS)?;
    let load = |program| load(cli.implementation, program);
    match &cli.interface {
        Some(name) => count_protocols(load(TrafficProgram::Protocols)?, name),
        None => demo::run_demo(load, &open_cgroup()?),
    }
}

fn load(implementation: Implementation, program: TrafficProgram) -> Result<BoxedProgram> {
    match implementation {
        Implementation::Aya => Ok(Box::new(aya::load(program)?)),
        Implementation::Libbpf => Ok(Box::new(libbpf::load(program)?)),
    }
}
// ANCHOR_END: main

// ANCHOR: cgroup
/// The cgroup that this process is in: no directory must be made, and none can be left behind.
fn open_cgroup() -> Result<File> {
    let groups = Path::new(CGROUPS);
    if !groups.join("cgroup.controllers").exists() {
        let what = format!("cannot find cgroups: no cgroup2 file system is mounted at {CGROUPS}");
        let problem = NotReady::new(what).help(format!("mount -t cgroup2 none {CGROUPS}"));
        return Err(problem.into());
    }
    let own = fs::read_to_string("/proc/self/cgroup").context("cannot read /proc/self/cgroup")?;
    let path = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let path = groups.join(path.context("cannot find this process in any cgroup")?);
    File::open(&path).with_context(|| format!("cannot open {}", path.display()))
}
// ANCHOR_END: cgroup

// ANCHOR: count
fn count_protocols(mut program: BoxedProgram, name: &str) -> Result<()> {
    let interface = Interface::find_interface(name)?;
    let stop = Stop::catch()?;
    let socket = PacketSocket::open(&interface)?;
    program.attach_socket(socket.as_fd())?;
    say(&format!(
        "attached  to a packet socket on {name}; Ctrl-C ends this"
    ))?;
    let mut shown = ProtocolCounters::default();
    while !stop.is_set() {
        sleep(INTERVAL);
        let counted = program.read_counters()?;
        if counted != shown {
            shown = counted;
            say(&counted.to_string())?;
        }
    }
    say("\ndetached  the filter ends with its socket")
}
// ANCHOR_END: count

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_usage_is_refused() {
        for line in ["traffic", "traffic --demo --interface lo", "traffic -i"] {
            let error = Cli::try_parse_from(line.split(' ')).err().expect(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
    }
}
