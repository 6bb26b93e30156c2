//! A look at the machine: what an eBPF program goes through, from source to machine code.

mod aya;
mod bytecode;
mod features;
mod instruction;
mod libbpf;
mod loaded;
mod machine;
mod object_file;
mod screen;

use std::io::{self, ErrorKind};
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand, ValueEnum};

use machine::NotReady;

/// What an eBPF program goes through: source, bytecode, verifier, machine code; and what this kernel offers.
///
/// Without a command: all three parts, or the first one where you are not root.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which library talks to the kernel; both print the same
    #[arg(long = "impl", value_enum, value_name = "NAME", default_value_t, global = true)]
    implementation: Implementation,
    #[command(subcommand)]
    part: Option<Part>,
}

#[derive(Clone, Copy, Subcommand)]
enum Part {
    /// The smallest program, from source to bytecode, by both toolchains (needs no root)
    Bytecode,
    /// Load it: what the verifier and the JIT compiler make of it, and what it returns
    Load,
    /// What this kernel offers: types of programs and maps, helpers, BTF, JIT, LSMs
    Features,
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
    // `intro | head` closes our output early: that is no failure.
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
    match cli.part {
        Some(Part::Bytecode) => bytecode::show(),
        Some(Part::Load) => load(cli.implementation),
        Some(Part::Features) => features(cli.implementation),
        None => everything(cli.implementation),
    }
}

fn everything(implementation: Implementation) -> Result<()> {
    bytecode::show()?;
    if !machine::is_root() {
        screen::say("\nThe other two parts talk to the kernel, and that needs root:")?;
        screen::say("  cargo xtask run intro      in a virtual machine")?;
        return screen::say("  sudo, with this command    on this machine");
    }
    screen::say("")?;
    load(implementation)?;
    screen::say("")?;
    features(implementation)
}

fn load(implementation: Implementation) -> Result<()> {
    machine::check()?;
    loaded::show(&match implementation {
        Implementation::Aya => aya::load()?,
        Implementation::Libbpf => libbpf::load()?,
    })
}

fn features(implementation: Implementation) -> Result<()> {
    machine::check()?;
    let (programs, maps) = match implementation {
        Implementation::Aya => (aya::programs()?, aya::maps()),
        Implementation::Libbpf => (libbpf::programs()?, libbpf::maps()),
    };
    features::show(&programs, &maps)
}
