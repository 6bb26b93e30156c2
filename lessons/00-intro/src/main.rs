//! A look at the machine: what an eBPF program goes through, from source to machine code.

mod aya;
mod bytecode;
mod features;
mod instruction;
mod libbpf;
mod loaded;
mod machine;
mod object_file;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use common::{Implementation, say};

/// What an eBPF program goes through: source, bytecode, verifier, machine code; and what this
/// kernel offers.
///
/// Without a command: all three parts, or the first one where you are not root.
#[derive(Parser)]
#[command(version)]
struct Cli {
    /// Which library talks to the kernel; both print the same
    #[arg(
        long = "impl",
        value_enum,
        value_name = "NAME",
        default_value_t,
        global = true
    )]
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

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
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
    if !common::machine::is_root() {
        say("\nThe other two parts talk to the kernel, and that needs root:")?;
        say("  cargo xtask run intro      in a virtual machine")?;
        return say("  sudo, with this command    on this machine");
    }
    say("")?;
    load(implementation)?;
    say("")?;
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
