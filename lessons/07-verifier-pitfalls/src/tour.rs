//! Shows entries: the verifier's reason, the rule behind it, and that the fixed twin loads.

use anyhow::{Context as _, Result, bail};
use common::text::printable;
use common::{Implementation, say};

use crate::entry::{self, Entry};
use crate::verdict::{Verdict, reason};
use crate::{aya, libbpf};

/// The errors that people meet first.
const TOUR: [&str; 2] = ["map-value-or-null", "map-value-bounds"];

pub fn entries() -> Result<Vec<&'static Entry>> {
    entry::find(&TOUR)
}

pub fn show(entries: &[&Entry], implementation: Implementation, whole_log: bool) -> Result<()> {
    for entry in entries {
        show_one(entry, implementation, whole_log).with_context(|| format!("show {}", entry.name))?;
    }
    say(&format!("{} programs were rejected, and their {} twins were accepted", entries.len(), entries.len()))
}

fn show_one(entry: &Entry, implementation: Implementation, whole_log: bool) -> Result<()> {
    say(&format!("{}: {}", entry.name, entry.title))?;
    let (refused, fixed) = match implementation {
        Implementation::Aya => (entry.rust.refused, aya::fixed(entry)?),
        Implementation::Libbpf => (entry.c.refused, libbpf::fixed(entry)?),
    };
    match refused {
        Some(words) => {
            say("  does not build")?;
            words.lines().try_for_each(|line| say(&format!("  | {}", printable(line.as_bytes()))))?;
        }
        None => show_rejected(entry, implementation, whole_log)?,
    }
    say(&format!("  rule      {}", entry.rule))?;
    if let Verdict::Rejected(log) = fixed {
        bail!("the verifier rejected the fixed program as well:\n{log}");
    }
    say("  fixed     the twin is accepted\n")
}

fn show_rejected(entry: &Entry, implementation: Implementation, whole_log: bool) -> Result<()> {
    let failing = match implementation {
        Implementation::Aya => aya::failing(entry)?,
        Implementation::Libbpf => libbpf::failing(entry)?,
    };
    let Verdict::Rejected(log) = failing else { bail!("the verifier accepted the failing program") };
    if whole_log {
        log.lines().try_for_each(|line| say(&format!("  | {}", printable(line.as_bytes()))))?;
    }
    let reason = reason(&log).context("find the verifier's reason in its log")?;
    say(&format!("  rejected  {}", printable(reason.as_bytes())))
}
