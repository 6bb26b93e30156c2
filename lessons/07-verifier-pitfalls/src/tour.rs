//! Shows entries: the verifier's reason, the rule behind it, and that the fixed twin loads.

use ::aya::EbpfLoader;
use anyhow::{Context as _, Result, bail};
use common::text::printable;
use common::{Implementation, say};

use crate::entry::{self, Entry};
use crate::verdict::{Verdict, reason};
use crate::{aya, libbpf};

/// The errors that people meet first.
const TOUR: [&str; 6] = [
    "map-value-or-null",
    "map-value-bounds",
    "scalar-deref",
    "packet-bounds",
    "uninit-reg",
    "helper-size-negative",
];

pub fn show(implementation: Implementation, whole_log: bool) -> Result<()> {
    // It reads the kernel's BTF, which takes a while: once for all.
    let mut aya = (implementation == Implementation::Aya).then(EbpfLoader::new);
    for name in TOUR {
        let entry = entry::find(name)?;
        let verdicts = match &mut aya {
            Some(loader) => with_aya(loader, entry),
            None => with_libbpf(entry),
        };
        let (failing, fixed) = verdicts.with_context(|| format!("load {name}"))?;
        show_one(entry, &failing, &fixed, whole_log).with_context(|| format!("show {name}"))?;
    }
    let number = TOUR.len();
    say(&format!(
        "{number} programs were rejected, and their {number} twins were accepted"
    ))
}

/// What becomes of the failing program, and of the fixed one.
fn with_aya(loader: &mut EbpfLoader<'_>, entry: &Entry) -> Result<(Verdict, Verdict)> {
    Ok((
        aya::load(loader, entry.rust.failing)?,
        aya::load(loader, entry.rust.fixed)?,
    ))
}

fn with_libbpf(entry: &Entry) -> Result<(Verdict, Verdict)> {
    Ok((libbpf::load(entry.c.failing)?, libbpf::load(entry.c.fixed)?))
}

fn show_one(entry: &Entry, failing: &Verdict, fixed: &Verdict, whole_log: bool) -> Result<()> {
    say(&format!("{}: {}", entry.name, entry.title))?;
    let Verdict::Rejected(log) = failing else {
        bail!("the verifier accepted the failing program")
    };
    if whole_log {
        log.lines()
            .try_for_each(|line| say(&format!("  | {}", printable(line.as_bytes()))))?;
    }
    for line in reason(log).context("find the verifier's reason in its log")? {
        say(&format!("  rejected  {}", printable(line.as_bytes())))?;
    }
    say(&format!("  rule      {}", entry.rule))?;
    if let Verdict::Rejected(log) = fixed {
        bail!("the verifier rejected the fixed program as well:\n{log}");
    }
    say("  fixed     the twin is accepted\n")
}
