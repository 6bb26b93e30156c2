//! Hello from a kprobe: who removes files, and does it work?

mod aya;
mod demo;
mod libbpf;
mod message;
mod session;
mod symbol;
mod trace;

use std::process::ExitCode;

use anyhow::Result;
use clap::Parser;
use common::Implementation;
use common::machine::{self, Need};

use session::Session;

const NEEDS: [Need; 4] = [Need::Root, Need::Kprobes, Need::Btf, Need::Tracefs];

/// Watches the kernel function that removes files: a kprobe shows what goes in, a kretprobe what
/// comes out.
///
/// Needs root. Without --demo it shows the files that every program removes, until Ctrl-C.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which of the two programs to run; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t)]
    implementation: Implementation,
    /// Remove two files, one that exists and one that does not, show what was seen, and stop
    #[arg(long)]
    demo: bool,
    /// Go on after the demo, until Ctrl-C
    #[arg(long)]
    follow: bool,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    machine::check(env!("CARGO_PKG_NAME"), &NEEDS)?;
    let hook = symbol::find()?;
    let mut session = Session::start(hook, cli.demo, cli.follow || !cli.demo)?;
    match cli.implementation {
        Implementation::Aya => aya::run(hook.function, &mut session),
        Implementation::Libbpf => libbpf::run(hook.function, &mut session),
    }
}
