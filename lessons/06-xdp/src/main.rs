//! A firewall in the driver: drop, answer and redirect frames before the kernel sees them.

mod aya;
mod bench;
mod cases;
mod counters;
mod counting;
mod demo;
mod fault;
mod firewall;
mod frame;
mod interface;
mod libbpf;
mod netlink;
mod network;
mod output;
mod rules;
mod self_test;
mod watch;
mod wire;

use std::mem::MaybeUninit;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Result;
use clap::{ArgGroup, Parser};
use common::Implementation;
use common::machine::{self, Need};
use ipnet::IpNet;

use firewall::{Firewall, Mode, Settings};
use interface::Interface;
use output::Output;
use rules::Action;
use watch::Watch;

/// No BTF: what lies on the wire is the same on every kernel.
const NEEDS: [Need; 1] = [Need::Root];

/// What has rules and numbers of its own.
const NOT_GUARDING: [&str; 3] = ["demo", "self_test", "bench"];

/// A firewall that sees each frame that comes in, before the kernel's network stack does.
///
/// It drops what comes from addresses that you block, can answer pings itself and send UDP ports
/// out by another interface, and counts all by kind and verdict. Frames that are malformed are
/// dropped; fragments, and what it does not follow, are judged by their addresses only. Needs root.
///
/// Example: xdp --interface eth0 --block 192.0.2.0/24 --allow 192.0.2.7 --list blocked.txt
#[derive(Parser)]
#[command(version, group(ArgGroup::new("what").required(true).args(["interface", "demo", "self_test", "bench"])))]
struct Cli {
    /// Which of the two programs to run; both do the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Guard this interface, until Ctrl-C
    #[arg(short, long, value_name = "NAME")]
    interface: Option<String>,
    /// Show all that it can do, in a network namespace of its own
    #[arg(long)]
    demo: bool,
    /// Judge frames made by hand, without any interface
    #[arg(long)]
    self_test: bool,
    /// Measure what a frame costs, with 1, 1,000 and 100,000 prefixes
    #[arg(long)]
    bench: bool,
    /// Who runs the program
    #[arg(long, value_enum, default_value_t, conflicts_with_all = ["self_test", "bench"])]
    mode: Mode,
    /// Drop what comes from these addresses; can be given more than once
    #[arg(long, value_name = "CIDR", value_parser = rules::prefix, conflicts_with_all = NOT_GUARDING)]
    block: Vec<IpNet>,
    /// An exception from a shorter --block; can be given more than once
    #[arg(long, value_name = "CIDR", value_parser = rules::prefix, conflicts_with_all = NOT_GUARDING)]
    allow: Vec<IpNet>,
    /// A file with a CIDR a line, `allow` before exceptions; it is read again when it changes
    #[arg(long, value_name = "FILE", conflicts_with_all = NOT_GUARDING)]
    list: Option<PathBuf>,
    /// Answer pings, so that the kernel never sees them
    #[arg(long, conflicts_with_all = NOT_GUARDING)]
    answer_ping: bool,
    /// Send what comes for a UDP port out by another interface; can be given more than once
    #[arg(long, value_name = "PORT:NAME", value_parser = redirection, conflicts_with_all = NOT_GUARDING)]
    redirect: Vec<(u16, String)>,
    /// Room for so many prefixes, for IPv4 and for IPv6 each
    #[arg(long, value_name = "NUMBER", default_value_t = 1024, conflicts_with_all = NOT_GUARDING)]
    #[arg(value_parser = clap::value_parser!(u32).range(1..=10_000_000))]
    max_rules: u32,
    /// Show the counters every so many seconds, if they have changed
    #[arg(long, value_name = "SECONDS", default_value_t = 1, conflicts_with_all = NOT_GUARDING)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..=3600))]
    interval: u64,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &NEEDS)?;
    let watch = cli
        .interface
        .as_deref()
        .map(|name| cli.watch(name))
        .transpose()?;
    let settings = Settings {
        // The demo and the self-test show it.
        answer_ping: cli.answer_ping || cli.demo || cli.self_test,
        max_rules: if cli.bench {
            bench::MAX_RULES
        } else {
            cli.max_rules
        },
    };
    match cli.implementation {
        Implementation::Aya => cli.drive(&mut aya::load(&settings)?, watch, "aya"),
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            cli.drive(&mut libbpf::load(&mut storage, &settings)?, watch, "libbpf")
        }
    }
}

impl Cli {
    fn drive(
        &self,
        firewall: &mut dyn Firewall,
        watch: Option<Watch>,
        implementation: &str,
    ) -> Result<()> {
        let output = Output { json: self.json };
        match watch {
            Some(watch) => watch::run(firewall, &watch, output),
            None if self.demo => demo::run(firewall, self.mode, output),
            None if self.self_test => self_test::run(firewall, output),
            None => bench::run(firewall, implementation, output),
        }
    }

    fn watch(&self, name: &str) -> Result<Watch> {
        let drops = self.block.iter().map(|&prefix| (prefix, Action::Drop));
        let passes = self.allow.iter().map(|&prefix| (prefix, Action::Pass));
        let redirects = self
            .redirect
            .iter()
            .map(|(port, name)| Ok((*port, Interface::find(name)?)));
        Ok(Watch {
            interface: Interface::find(name)?,
            mode: self.mode,
            rules: drops.chain(passes).collect(),
            list: self.list.clone(),
            redirects: redirects.collect::<Result<_>>()?,
            max_rules: self.max_rules,
            interval: Duration::from_secs(self.interval),
        })
    }
}

fn redirection(text: &str) -> Result<(u16, String), String> {
    let wanted = || "a port and an interface are wanted, as in 8000:eth1".to_owned();
    let (port, name) = text.split_once(':').ok_or_else(wanted)?;
    let port = port.parse().map_err(|_| wanted())?;
    if name.is_empty() {
        Err(wanted())
    } else {
        Ok((port, name.to_owned()))
    }
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
    fn what_makes_no_sense_is_a_usage_error() {
        for line in [
            "xdp",
            "xdp --demo --bench",
            "xdp --demo --block 10.0.0.0/8",
            "xdp --demo --answer-ping",
            "xdp --self-test --mode generic",
            "xdp --bench --max-rules 5",
            "xdp -i eth0 --block 10.0.0.0/33",
            "xdp -i eth0 --block 10.1.2.3/8",
            "xdp -i eth0 --redirect 8000",
            "xdp -i eth0 --redirect 70000:eth1",
            "xdp -i eth0 --redirect 80:",
            "xdp -i eth0 --max-rules 0",
            "xdp -i eth0 --interval 0",
            "xdp -i eth0 --mode fast",
        ] {
            let error = Cli::try_parse_from(line.split(' ')).err().expect(line);
            assert_eq!(error.exit_code(), 2, "{line}");
        }
        let line = "xdp -i eth0 --block 10.0.0.0/8 --block fd00::1 --redirect 53:eth1";
        let cli = Cli::try_parse_from(line.split(' ')).expect("it makes sense");
        assert_eq!(
            (cli.block.len(), &*cli.redirect),
            (2, &[(53, "eth1".to_owned())][..])
        );
    }
}
