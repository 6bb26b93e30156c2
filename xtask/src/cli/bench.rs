//! `bench`

use clap::{Parser, Subcommand};
use kernel::DEFAULT;
use problem::Problem;

use crate::commands::bench::BenchOptions;
use crate::pipeline::selection::Selection;

pub const BENCH_HELP: &str = "\
Each implementation runs its demo in a VM, in turn. Programs of the same name stand side by side; what a library loads
only to try the kernel is left out: programs without BTF, and libbpf's det_arg_ctx. The figures:
  instructions  of the bytecode, after verification
  machine code  what the JIT compiler makes of it
  verified      instructions that the verifier followed, on all paths together (Linux 5.16 and later)
  executed      machine instructions of a run, with all that the program calls: an emulated CPU has no time that
                would mean something, but it can count; the way into and out of the program counts too
Lessons that can measure themselves do so on this machine's own kernel, if it lets you.

Examples:
  cargo xtask bench                   all lessons on the default kernel
  cargo xtask bench 01 --kernel all   one lesson on all kernels
  cargo xtask bench run               what `cargo xtask run` costs beyond the boot of its kernel";

#[derive(Debug, Parser)]
#[command(
    args_conflicts_with_subcommands = true,
    subcommand_help_heading = "Other measurements"
)]
pub struct BenchArguments {
    #[command(subcommand)]
    part: Option<OtherMeasurement>,
    /// A lesson; without one, all
    lesson: Option<String>,
    /// 5.10, 6.1, 6.12, 6.18, 7.3, all, or a file
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT)]
    kernel: String,
    /// How often each implementation runs, in turn
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Print JSON, a line a program
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub enum OtherMeasurement {
    /// What `run` costs beyond the boot of its kernel
    Run {
        /// 5.10, 6.1, 6.12, 6.18, 7.3, all, or a file
        #[arg(long, value_name = "KERNEL", default_value = DEFAULT)]
        kernel: String,
        /// Print JSON, a line a kernel
        #[arg(long)]
        json: bool,
    },
}

impl TryFrom<BenchArguments> for BenchOptions {
    type Error = Problem;

    fn try_from(arguments: BenchArguments) -> Result<Self, Problem> {
        if let Some(OtherMeasurement::Run { kernel, json }) = arguments.part {
            let kernels = Selection::parse(&kernel)?;
            return Ok(Self::WholeRun { kernels, json });
        }
        Ok(Self::Programs {
            lesson: arguments.lesson,
            kernels: Selection::parse(&arguments.kernel)?,
            rounds: arguments.rounds,
            json: arguments.json,
        })
    }
}
