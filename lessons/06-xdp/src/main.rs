//! A firewall in the driver: drop, answer and redirect frames before the kernel sees them.

mod aya;
#[path = "../bench/rules.rs"]
mod bench;
mod counters;
mod demo;
mod libbpf;
mod program;
mod workload;

#[cfg(test)]
#[path = "../tests/frames/mod.rs"]
mod frames;

use std::net::IpAddr;
use std::process::ExitCode;
use std::thread::sleep;
use std::time::Duration;

use ::aya::EbpfLoader;
use anyhow::{Context as _, Result};
use clap::{ArgGroup, Parser};
use common::machine::{self, Need};
use common::{Implementation, Stop, say};
use ipnet::IpNet;
use network::interface::{Interface, Mode};

use counters::{DROP, PASS};
use program::{BoxedProgram, PacketProgram};

/// No BTF: the layout of frames is the same on every kernel.
const NEEDS: [Need; 1] = [Need::Root];

/// What can be done instead of guarding an interface.
const OTHERS: [&str; 2] = ["demo", "bench"];

/// How often the counters are looked at.
const INTERVAL: Duration = Duration::from_millis(500);

/// Runs XDP programs that see each frame before the kernel's network stack does: a firewall.
///
/// Example: xdp --interface eth0 --block 192.0.2.0/24 --allow 192.0.2.7
#[derive(Parser)]
#[command(version, group(ArgGroup::new("what").required(true)))]
struct Cli {
    /// Which of the two sets of programs to run; both do the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Show what each program does, in its own network namespace
    #[arg(long, group = "what")]
    demo: bool,
    /// Guard this interface and show what was counted, until Ctrl-C
    #[arg(short, long, value_name = "NAME", group = "what")]
    interface: Option<String>,
    /// Where the program runs
    #[arg(long, value_enum, default_value_t, conflicts_with_all = OTHERS)]
    mode: Mode,
    /// Drop what comes from these addresses; can be given more than once
    #[arg(long, value_name = "CIDR", value_parser = parse_network, conflicts_with_all = OTHERS)]
    block: Vec<IpNet>,
    /// An exception from a larger --block; can be given more than once
    #[arg(long, value_name = "CIDR", value_parser = parse_network, conflicts_with_all = OTHERS)]
    allow: Vec<IpNet>,
    /// Answer pings, so that the kernel never sees them
    #[arg(long, conflicts_with_all = OTHERS)]
    answer_ping: bool,
    /// For `cargo xtask bench 06`
    #[arg(long, hide = true, group = "what", requires = "json")]
    bench: bool,
    #[arg(long, hide = true, requires = "bench")]
    json: bool,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

// ANCHOR: main
fn run(cli: &Cli) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &NEEDS)?;
    if let Some(interface) = &cli.interface {
        return watch_interface(cli, &Interface::find_interface(interface)?);
    }
    let mut load = choose_library(cli.implementation);
    if cli.bench {
        return bench::measure_rules(&mut load(PacketProgram::Block)?);
    }
    demo::run_demo(load)
}

/// What loads a program with one of the two libraries.
fn choose_library(
    implementation: Implementation,
) -> Box<dyn FnMut(PacketProgram) -> Result<BoxedProgram>> {
    match implementation {
        Implementation::Aya => {
            // To make a loader, aya parses the kernel's BTF: one is enough for all programs.
            let mut loader = EbpfLoader::new();
            // Nothing here depends on the kernel's types: do not look for any in it.
            loader.btf(None);
            Box::new(move |program| Ok(Box::new(aya::load(&mut loader, program)?)))
        }
        Implementation::Libbpf => Box::new(|program| Ok(Box::new(libbpf::load(program)?))),
    }
}
// ANCHOR_END: main

// ANCHOR: watch
fn watch_interface(cli: &Cli, interface: &Interface) -> Result<()> {
    let kind = match cli.answer_ping {
        false => PacketProgram::Block,
        true => PacketProgram::Reply,
    };
    let mut program = choose_library(cli.implementation)(kind)?;
    for (verdict, networks) in [(DROP, &cli.block), (PASS, &cli.allow)] {
        for &network in networks {
            let set = program.set_rule(network, Some(verdict));
            set.with_context(|| format!("cannot set the rule for {network}"))?;
        }
    }
    let stop = Stop::catch()?;
    program.attach_xdp(interface, cli.mode)?;
    let (name, mode) = (
        kind.program_name(),
        Interface::find_interface(&interface.name)?.mode_name(),
    );
    say(&format!(
        "attached  {name} to {} in {mode} mode; Ctrl-C ends this",
        interface.name
    ))?;
    let mut shown = 0;
    while !stop.is_set() {
        sleep(INTERVAL);
        let counters = program.read_counters()?;
        if counters.total_frames() != shown {
            shown = counters.total_frames();
            say(&counters.format_table())?;
        }
    }
    drop(program);
    say(&format!("\ndetached  {shown} frames were counted"))
}
// ANCHOR_END: watch

/// An address alone is a network of one address.
fn parse_network(text: &str) -> Result<IpNet, String> {
    if let Ok(address) = text.parse::<IpAddr>() {
        return Ok(address.into());
    }
    let Ok(network) = text.parse::<IpNet>() else {
        return Err("not an address, nor a network such as 10.0.0.0/8 or fd00::/8".to_owned());
    };
    let (whole, address) = (network.trunc(), network.addr());
    if network != whole {
        return Err(format!(
            "it is inside the network {whole}: give that, or {address}"
        ));
    }
    Ok(network)
}

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
        for line in [
            "xdp",
            "xdp --demo --interface lo",
            "xdp --demo --bench --json",
            "xdp --demo --block 10.0.0.0/8",
            "xdp --demo --mode generic",
            "xdp --demo --answer-ping",
            "xdp -i eth0 --block 10.0.0.0/33",
            "xdp -i eth0 --block 10.1.2.3/8",
            "xdp -i eth0 --mode fast",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).err().expect(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let line = "xdp -i eth0 --block 10.0.0.0/8 --block fd00::1 --allow 10.0.0.7";
        let cli = Cli::try_parse_from(line.split(' ')).expect("it is right");
        assert_eq!((cli.block.len(), cli.allow.len()), (2, 1));
    }

    #[test]
    fn an_address_is_a_network_of_one_address() {
        let network = |text: &str| text.parse::<IpNet>().expect("a network");
        assert_eq!(parse_network("10.0.0.1"), Ok(network("10.0.0.1/32")));
        assert_eq!(parse_network("fd00::1"), Ok(network("fd00::1/128")));
        assert_eq!(parse_network("0.0.0.0/0"), Ok(network("0.0.0.0/0")));
    }

    #[test]
    fn what_is_no_network_is_refused_with_a_reason() {
        for text in [
            "",
            "/",
            "10.0.0.0/33",
            "10.0.0/8",
            "fd00::/129",
            "10.0.0.0/-1",
            "host",
        ] {
            let error = parse_network(text).expect_err(text);
            assert!(error.contains("10.0.0.0/8"), "{text}");
        }
        let error = parse_network("10.1.2.3/8").expect_err("bits after the prefix");
        assert_eq!(
            error,
            "it is inside the network 10.0.0.0/8: give that, or 10.1.2.3"
        );
    }
}
