//! The command line, and what it means for the kernel side.

use std::process;
use std::time::Duration;

use clap::{ArgGroup, Parser};
use common::btf::Kernel;
use common::{Implementation, NotReady};

use crate::demo::STORM;
use crate::tracer::{Settings, Way};

/// Calls that can be under way at the same time.
const IN_FLIGHT: u32 = 10_240;
/// The demo shows what happens when there are more.
const IN_FLIGHT_OF_DEMO: u32 = 1;

/// Shows every call that opens a file: who makes it, its result, and how long it takes.
///
/// Needs root. The filters work in the kernel. Without --demo, --storm, --cost or --offsets it goes
/// on until Ctrl-C.
#[derive(Parser)]
#[command(version, group(ArgGroup::new("mode").args(["demo", "storm", "cost", "offsets"])))]
pub struct Cli {
    /// Which of the two sets of programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    pub implementation: Implementation,
    /// How to watch; given twice, both ways at once [default: fentry; with --demo and --cost both]
    #[arg(long = "way", value_enum, value_name = "WAY")]
    ways: Vec<Way>,
    /// Only calls of this process
    #[arg(long, conflicts_with = "mode", value_parser = clap::value_parser!(u32).range(1..))]
    pid: Option<u32>,
    /// Only calls of this command: the name as in ps, at most 15 bytes
    #[arg(long, conflicts_with = "mode", value_parser = comm)]
    comm: Option<[u8; 16]>,
    /// Only calls that take at least as long, for example 500us or 10ms
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["cost", "storm", "offsets"])]
    slower_than: Option<Duration>,
    /// Only calls that fail
    #[arg(long, conflicts_with_all = ["cost", "offsets"])]
    failed: bool,
    /// One JSON object a line, for each call and for the summary
    #[arg(long, conflicts_with = "offsets")]
    pub json: bool,
    /// Room for calls that are under way at the same time [default: 10240; with --demo 1]
    #[arg(long, value_name = "CALLS", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    in_flight: Option<u32>,
    /// Room for events that have not been read yet: a power of two, 4096 or more
    #[arg(long, value_name = "BYTES", default_value = "262144", value_parser = ring_buffer)]
    ring_buffer: u32,
    /// Make a few calls, show what was seen, and stop
    #[arg(long)]
    pub demo: bool,
    /// Go on after the demo, until Ctrl-C
    #[arg(long, requires = "demo")]
    pub follow: bool,
    /// Make this many calls as fast as possible, and say how many events came and how many were
    /// lost
    #[arg(long, value_name = "CALLS")]
    pub storm: Option<u64>,
    /// Measure what each way adds to a call
    #[arg(long)]
    pub cost: bool,
    /// Show the function's prototype and the offsets of fields in this kernel, and use them
    #[arg(long)]
    pub offsets: bool,
}

impl Cli {
    /// Whether it goes on until a signal comes, after the demo or without one.
    pub fn follows(&self) -> bool {
        self.follow || !(self.demo || self.storm.is_some() || self.cost || self.offsets)
    }

    pub fn ways(&self) -> Vec<Way> {
        match &self.ways[..] {
            [] if self.demo || self.cost => Way::ALL.to_vec(),
            [] => vec![Way::Fentry],
            given => Way::ALL
                .into_iter()
                .filter(|way| given.contains(way))
                .collect(),
        }
    }

    /// For the calls of other processes.
    pub fn settings(&self, kernel: &Kernel) -> Result<Settings, NotReady> {
        Ok(Settings {
            ways: self.ways(),
            pid: self.pid.unwrap_or(0),
            comm: self.comm.unwrap_or_default(),
            slower_than: self.slower_than.unwrap_or_default(),
            failed: self.failed,
            in_flight: self.in_flight.unwrap_or(IN_FLIGHT),
            ring_buffer: self.ring_buffer,
            real_parent: kernel.offset("task_struct", "real_parent")?,
            tgid: kernel.offset("task_struct", "tgid")?,
        })
    }

    /// For calls that this process makes itself.
    pub fn settings_of_own(&self, others: &Settings) -> Settings {
        let mut own = Settings {
            pid: process::id(),
            ..others.clone()
        };
        if self.demo {
            own.in_flight = self.in_flight.unwrap_or(IN_FLIGHT_OF_DEMO);
        }
        if self.storm.is_some() {
            own.comm = comm(STORM).unwrap_or_default();
        }
        if self.cost {
            // Nothing takes that long: what is measured is everything but the sending.
            own.slower_than = Duration::MAX;
        }
        own
    }
}

/// The kernel cuts the names of commands to 15 bytes.
fn comm(name: &str) -> Result<[u8; 16], String> {
    let mut comm = [0; 16];
    if name.is_empty() || name.len() >= comm.len() {
        return Err("the kernel's names of commands have 1 to 15 bytes".to_owned());
    }
    comm[..name.len()].copy_from_slice(name.as_bytes());
    Ok(comm)
}

fn ring_buffer(text: &str) -> Result<u32, String> {
    match text.parse::<u32>() {
        Ok(bytes @ 4096..) if bytes.is_power_of_two() => Ok(bytes),
        _ => Err(
            "the kernel wants a power of two that is at least one page, such as 4096 or 65536"
                .to_owned(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(arguments: &[&str]) -> String {
        let all = ["fentry-fexit"].iter().chain(arguments);
        Cli::try_parse_from(all)
            .err()
            .map_or_else(String::new, |error| error.to_string())
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for (arguments, why) in [
            (&["--ring-buffer", "5000"][..], "power of two"),
            (&["--ring-buffer", "2048"], "power of two"),
            (&["--comm", "a-name-of-16-byte"], "15 bytes"),
            (&["--comm", ""], "15 bytes"),
            (&["--pid", "0"], "0 is not in 1.."),
            (&["--in-flight", "0"], "0 is not in 1.."),
            (&["--slower-than", "soon"], "--slower-than"),
            (&["--way", "uprobe"], "fentry, kprobe"),
            (&["--demo", "--cost"], "cannot be used with"),
            (&["--follow"], "--demo"),
        ] {
            let text = refused(arguments);
            assert!(text.contains(why), "{arguments:?}: {text}");
        }
        assert_eq!(
            refused(&[
                "--pid",
                "1",
                "--comm",
                "cat",
                "--slower-than",
                "10ms",
                "--failed",
                "--json"
            ]),
            ""
        );
    }

    #[test]
    fn each_mode_has_its_ways() {
        let ways = |arguments: &[&str]| {
            Cli::try_parse_from(["fentry-fexit"].iter().chain(arguments))
                .expect("it makes sense")
                .ways()
        };
        assert_eq!(ways(&[]), [Way::Fentry]);
        assert_eq!(ways(&["--demo"]), Way::ALL);
        assert_eq!(ways(&["--cost", "--way", "kprobe"]), [Way::Kprobe]);
        assert_eq!(ways(&["--way", "kprobe", "--way", "fentry"]), Way::ALL);
    }
}
