//! Why does the verifier say no? Loads programs that it rejects, shows its reason, then the twins
//! that it accepts.

mod aya;
mod entry;
mod libbpf;
mod tour;
mod verdict;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use common::Implementation;
use common::machine::{self, Need};

/// Loads programs that the verifier rejects, shows its reason, then loads their fixed twins.
///
/// Needs root. This is a tour through the errors that people meet first; `cargo xtask gallery` has
/// all entries.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which programs: those in Rust, loaded by aya, or those in C, loaded by libbpf-rs
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// The tour, which is all that there is to show
    #[arg(long, conflicts_with_all = ["list", "objects"])]
    demo: bool,
    /// Show the verifier's whole log
    #[arg(long)]
    log: bool,
    /// List the entries of the gallery; needs no root
    #[arg(long, conflicts_with = "objects")]
    list: bool,
    /// Write the object files of all entries into this folder, to look at them with other tools;
    /// needs no root
    #[arg(long, value_name = "FOLDER")]
    objects: Option<PathBuf>,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    if cli.list {
        return entry::list();
    }
    if let Some(folder) = &cli.objects {
        return entry::write_objects(folder);
    }
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root, Need::Btf])?;
    tour::show(cli.implementation, cli.log)
}
