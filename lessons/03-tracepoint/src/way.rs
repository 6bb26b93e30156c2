//! The three ways to watch one event.

use anyhow::Result;
use clap::ValueEnum;
use common::machine::{self, Need};
use common::{Implementation, NotReady, say};

use crate::event::{BTF, RAW, TRACEPOINT};
use crate::format::Format;

/// The event that all three programs watch.
pub const EVENT: &str = "sched_process_exec";

/// As in `--way`, by the numbers in the events
pub const NAMES: [&str; 3] = ["tracepoint", "raw", "btf"];

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Way {
    /// The record that the kernel writes; does not know the parent process, and needs tracefs
    Tracepoint = TRACEPOINT as isize,
    /// The event's arguments, read through a helper; needs BTF
    Raw = RAW as isize,
    /// The event's arguments, whose types the verifier knows; needs BTF
    Btf = BTF as isize,
}

impl Way {
    pub const ALL: [Self; 3] = [Self::Tracepoint, Self::Raw, Self::Btf];

    pub fn way_name(self) -> &'static str {
        NAMES[self as usize]
    }

    fn check(self, implementation: Implementation) -> Result<(), NotReady> {
        if self == Self::Tracepoint
            && let Err(problem) = Format::read_format(EVENT)
        {
            return Err(problem.help("--way btf needs no tracefs"));
        }
        // One program with CO-RE is enough for libbpf to need BTF for the whole object.
        if self != Self::Tracepoint || implementation == Implementation::Libbpf {
            let ready = machine::check(env!("CARGO_PKG_NAME"), &[Need::Btf]);
            return ready.map_err(|p| p.help("--impl aya --way tracepoint needs no BTF"));
        }
        Ok(())
    }
}

/// Leaves out the ways for which something is missing from this machine; an error if none is left.
pub fn choose_ways(wanted: &[Way], implementation: Implementation) -> Result<Vec<Way>> {
    let mut ways = Vec::new();
    let mut problems = Vec::new();
    for way in wanted {
        match way.check(implementation) {
            Ok(()) => ways.push(*way),
            Err(problem) => problems.push((way.way_name(), problem)),
        }
    }
    if ways.is_empty()
        && let Some((_, problem)) = problems.pop()
    {
        return Err(problem.into());
    }
    for (name, problem) in problems {
        say(&format!("left out  {name}: {problem}"))?;
    }
    Ok(ways)
}

// ANCHOR: offsets
/// The offsets of `filename`, `pid` and `old_pid` in the record; zeros if no program reads it.
pub fn find_payload(ways: &[Way]) -> Result<[u32; 3], NotReady> {
    if !ways.contains(&Way::Tracepoint) {
        return Ok([0; 3]);
    }
    let format = Format::read_format(EVENT)?;
    Ok([
        format.field("__data_loc char[] filename")?.offset,
        format.field("pid_t pid")?.offset,
        format.field("pid_t old_pid")?.offset,
    ])
}
// ANCHOR_END: offsets
