//! Why does the verifier say no? Loads programs that it rejects, shows its reason, then the twins
//! that it accepts.

mod aya;
mod libbpf;
mod log;
mod pitfall;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result, bail};
use clap::Parser;
use common::machine::{self, Need};
use common::{Implementation, say, text};

use log::{Loaded, find_reason};
use pitfall::{Pitfall, find_pitfall, list_pitfalls, write_objects};

/// The errors that people meet first.
const TOUR: [&str; 6] = [
    "map-value-or-null",
    "map-value-bounds",
    "scalar-deref",
    "packet-bounds",
    "uninit-reg",
    "helper-size-negative",
];

/// Loads programs that the verifier rejects, shows its reason, then loads their fixed twins.
///
/// Needs root. This is a tour of the errors that people meet first; `cargo xtask gallery` has all
/// entries.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which programs: those in Rust, loaded by aya, or those in C, loaded by libbpf-rs
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Run the tour, as without any option
    #[arg(long, conflicts_with_all = ["list", "objects"])]
    demo: bool,
    /// Show the verifier's whole log
    #[arg(long)]
    log: bool,
    /// List the entries of the gallery; needs no root
    #[arg(long, conflicts_with = "objects")]
    list: bool,
    /// Write the object files of all entries into this directory, to look at them with other
    /// tools; needs no root
    #[arg(long, value_name = "DIRECTORY")]
    objects: Option<PathBuf>,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    if cli.list {
        return list_pitfalls();
    }
    if let Some(directory) = &cli.objects {
        return write_objects(directory);
    }
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root, Need::Btf])?;
    run_tour(cli)
}

// ANCHOR: tour
fn run_tour(cli: &Cli) -> Result<()> {
    match cli.implementation {
        Implementation::Aya => {
            let mut loader = aya::open_loader();
            for name in TOUR {
                let pitfall = show_title(name)?;
                let failing = aya::load(&mut loader, pitfall.rust.failing)?;
                let fixed = aya::load(&mut loader, pitfall.rust.fixed)?;
                show_pitfall(cli, pitfall, &failing, &fixed)?;
            }
        }
        Implementation::Libbpf => {
            libbpf::open_loader();
            for name in TOUR {
                let pitfall = show_title(name)?;
                let failing = libbpf::load(pitfall.c.failing)?;
                let fixed = libbpf::load(pitfall.c.fixed)?;
                show_pitfall(cli, pitfall, &failing, &fixed)?;
            }
        }
    }
    let count = TOUR.len();
    say(&format!(
        "{count} programs were rejected, and their {count} twins were accepted"
    ))
}
// ANCHOR_END: tour

fn show_title(name: &str) -> Result<&'static Pitfall> {
    let pitfall = find_pitfall(name)?;
    say(&format!("{name}: {}", pitfall.title))?;
    Ok(pitfall)
}

fn show_pitfall(cli: &Cli, pitfall: &Pitfall, failing: &Loaded, fixed: &Loaded) -> Result<()> {
    let Pitfall { name, rule, .. } = pitfall;
    let Loaded::Rejected(log) = failing else {
        bail!("the verifier accepted the failing program of {name}");
    };
    if cli.log {
        for line in log.lines() {
            say(&format!("  | {}", text::printable(line.as_bytes())))?;
        }
    }
    let reason = find_reason(log);
    for line in reason.with_context(|| format!("cannot find the reason in the log of {name}"))? {
        say(&format!("  rejected  {}", text::printable(line.as_bytes())))?;
    }
    say(&format!("  rule      {rule}"))?;
    if let Loaded::Rejected(log) = fixed {
        bail!("the verifier rejected the fixed program of {name} as well:\n{log}");
    }
    say("  fixed     the twin is accepted\n")
}
