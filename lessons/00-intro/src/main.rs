//! A look at the machine: what an eBPF program goes through, from source to machine code.

mod aya;
mod bytecode;
mod features;
mod instruction;
mod libbpf;
mod loaded_program;
mod object_file;

use std::mem::MaybeUninit;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};
use common::machine::{self, Need};
use common::{Implementation, NotReady, say};

use loaded_program::LoadedProgram;

/// The packet of the test run. Linux wants at least the 14 bytes of an Ethernet header.
const PACKET: [u8; 64] = [0; 64];

const XDP_PASS: u32 = 2;

/// What an eBPF program goes through: source, bytecode, verifier, machine code; and what this
/// kernel offers.
///
/// Without a command: all three parts, or only the first if you are not root.
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
    /// The smallest program, from source to bytecode, with both toolchains (needs no root)
    Bytecode,
    /// Load it and run it once: what the verifier and the JIT compiler did, and what it returned
    Load,
    /// What this kernel offers: types of programs and maps, helpers, BTF, JIT, LSMs
    Features,
}

fn main() -> ExitCode {
    common::exit_code(run(&Cli::parse()))
}

fn run(cli: &Cli) -> Result<()> {
    match cli.part {
        Some(Part::Bytecode) => bytecode::show_toolchains(),
        Some(Part::Load) => load_and_run(cli.implementation),
        Some(Part::Features) => find_features(cli.implementation),
        None => show_all_parts(cli.implementation),
    }
}

fn show_all_parts(implementation: Implementation) -> Result<()> {
    bytecode::show_toolchains()?;
    if !machine::is_root() {
        say("\nThe other two parts talk to the kernel, and that needs root:")?;
        say("  cargo xtask run intro      in a virtual machine")?;
        return say("  sudo, with this command    on this machine");
    }
    say("")?;
    load_and_run(implementation)?;
    say("")?;
    find_features(implementation)
}

// ANCHOR: load
fn load_and_run(implementation: Implementation) -> Result<()> {
    check_machine()?;
    let (program, returned) = match implementation {
        Implementation::Aya => {
            let mut ebpf = aya::load()?;
            let returned = aya::run_once(&mut ebpf, &PACKET)?;
            (aya::read_info(&mut ebpf)?, returned)
        }
        Implementation::Libbpf => {
            let mut storage = MaybeUninit::uninit();
            let skeleton = libbpf::load(&mut storage)?;
            let returned = libbpf::run_once(&skeleton, &PACKET)?;
            (libbpf::read_info(&skeleton)?, returned)
        }
    };
    show_program(&program)?;
    show_run(returned)?;
    say("  unloaded     nothing holds it any more, so the kernel has removed it")
}
// ANCHOR_END: load

fn find_features(implementation: Implementation) -> Result<()> {
    check_machine()?;
    let (programs, maps) = match implementation {
        Implementation::Aya => (aya::try_programs()?, aya::try_maps()),
        Implementation::Libbpf => (libbpf::try_programs()?, libbpf::try_maps()),
    };
    features::show_features(&programs, &maps)
}

fn check_machine() -> Result<(), NotReady> {
    let checked = machine::check(env!("CARGO_PKG_NAME"), &[Need::Root]);
    checked.map_err(|problem| problem.help("intro bytecode needs no root"))
}

fn show_program(program: &LoadedProgram) -> Result<()> {
    say("The smallest program, loaded into this kernel")?;
    match program.verified_insns {
        Some(count) => say(&format!(
            "  verifier     accepted; it followed {count} instructions"
        ))?,
        None => say("  verifier     accepted (only Linux 5.16 and later count its instructions)")?,
    }
    let size = program.xlated_prog_len;
    say(&format!(
        "  translated   {size} bytes of bytecode, as the kernel rewrote it"
    ))?;
    match program.jited_prog_len {
        0 => say("  JIT compiler off: the kernel interprets the bytecode"),
        size => say(&format!("  JIT compiler {size} bytes of machine code")),
    }
}

fn show_run(returned: u32) -> Result<()> {
    let meaning = match returned {
        XDP_PASS => "XDP_PASS: let it pass",
        _ => "not XDP_PASS",
    };
    let size = PACKET.len();
    say(&format!(
        "  test run     it got a packet of {size} bytes and returned {returned} ({meaning})"
    ))
}
