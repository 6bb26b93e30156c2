//! Hello from a kprobe: who removes files, and does it work?

mod aya;
mod demo;
mod libbpf;
mod machine;
mod message;
mod session;
mod symbol;
mod trace;

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, ValueEnum};

use machine::NotReady;
use session::Session;

/// Watches the kernel function that removes files: a kprobe shows what goes in, a kretprobe what comes out.
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

#[derive(Clone, Copy, Default, ValueEnum)]
enum Implementation {
    /// Kernel side in Rust, loaded by aya
    #[default]
    Aya,
    /// Kernel side in C, loaded by libbpf-rs
    Libbpf,
}

fn main() -> ExitCode {
    let Err(error) = run(&Cli::parse()) else { return ExitCode::SUCCESS };
    // `hello-kprobe | head` closes our output early: that is no failure.
    if error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == ErrorKind::BrokenPipe) {
        return ExitCode::SUCCESS;
    }
    eprintln!("error: {error:#}");
    let Some(not_ready) = error.downcast_ref::<NotReady>() else { return ExitCode::FAILURE };
    for line in &not_ready.help {
        eprintln!("help: {line}");
    }
    ExitCode::from(3)
}

fn run(cli: &Cli) -> Result<()> {
    machine::check()?;
    let hook = symbol::find()?;
    let mut session = Session::start(hook, cli.demo, cli.follow || !cli.demo)?;
    match cli.implementation {
        Implementation::Aya => aya::run(hook.function, &mut session),
        Implementation::Libbpf => libbpf::run(hook.function, &mut session),
    }
}
