//! `bench`

use clap::{Parser, Subcommand};
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::architecture::ArchitectureArgument;
use crate::commands::bench::BenchOptions;
use crate::pipeline::selection::{KERNEL_HELP, Selection};

pub const BENCH_HELP: &str = "\
Each implementation runs its demo in a VM, in turn. Programs of the same name are shown side by
side; what a library loads only to try the kernel is left out: programs without BTF, and libbpf's
det_arg_ctx. The figures:
  instructions  of the bytecode, after verification
  machine code  its size in bytes, as the JIT compiler compiled it
  verified      instructions that the verifier followed, on all paths together (Linux 5.16 and
                later)
  executed      machine instructions executed in a run, in the program and in all that it calls,
                with entering and leaving it; counted, because times on an emulated CPU mean nothing
                (on arm64 in steps of 4 instructions: its clock ticks every 16 ns, and each
                instruction takes 4 ns there)
Lessons that can measure themselves do so on this machine's own kernel, if it lets you.

JSON: one object per line, for each program and each case that a lesson measures itself (fields
may be added)
  lesson             01-hello-kprobe
  kernel             its release
  architecture       amd64 or arm64
  rounds             of a program: how often it was measured; figures are medians
  program            of a program: its name
  type               of a program: kprobe
  here               of a case: true if on this machine's own kernel
  case               of a case: its name and sizes, in the lesson's own words
  aya                of a program: null if aya has none
    instructions     as above, as the next three; null if not known
    jited_bytes      machine code
    verified_instructions
    executed_per_run
    runs             how often it ran
    ns_per_run       of a case: null in an emulated VM, where a time means nothing
  libbpf             the same as aya
  ratio              of aya to libbpf
    instructions     and so on
    jited_bytes
    verified_instructions
    executed_per_run
    ns_per_run
  above_aim          of a program: the figures whose ratio is above 1.15; of a case: whether it is

Examples:
  cargo xtask bench                   all lessons on the default kernel
  cargo xtask bench 01 --kernel all   one lesson on all kernels
  cargo xtask bench 01 --arch both    on amd64 and on arm64
  cargo xtask bench run               what `cargo xtask run` costs beyond the boot of its kernel";

const BENCH_RUN_HELP: &str = "\
JSON: one object per line, for each kernel (fields may be added)
  kernel             its release
  architecture       amd64 or arm64
  accelerator        kvm or tcg
  rounds             how often each was measured; times are medians
  bare_boot_seconds  until a kernel whose init does nothing has ended
  run_seconds        of cargo xtask run, without cargo's own start
  ratio              of run to bare boot
  phases             of a run, one after the other; null where a phase was left out
    xtask_start_seconds
                     until QEMU is started
    resume_seconds   until the saved guest runs
    wake_seconds     until its clock is right and its random numbers are new
    upload_seconds   until the lesson's program is in the guest
    load_seconds     until the lesson says that its programs are attached: starting it, loading,
                     verifying and attaching
    demo_seconds     until the demo has printed its last line
    detach_seconds   until the lesson says that it has detached
    exit_seconds     until the lesson has ended
    report_seconds   until the guest has looked for what was left behind
    end_seconds      until QEMU and xtask have ended
    build_check_seconds
                     of cargo, which looks at the same time whether the lesson is built
  cargo_seconds      what `cargo xtask` takes before it starts xtask
  another_lesson_seconds
                     what a second lesson in the same VM adds
  another_step_seconds
                     what a step that does nothing adds
  base_bytes         of the initial file system that all lessons share
  lesson_bytes       of what a lesson adds to it";

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
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT, help = KERNEL_HELP)]
    kernel: String,
    #[command(flatten)]
    architecture: ArchitectureArgument,
    /// How often each implementation runs, in turn
    #[arg(long, value_name = "N", default_value_t = 3)]
    #[arg(value_parser = clap::value_parser!(u16).range(1..))]
    rounds: u16,
    /// Print JSON, one line per program
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Subcommand)]
pub enum OtherMeasurement {
    /// What `run` costs beyond the boot of its kernel
    #[command(after_help = BENCH_RUN_HELP)]
    Run {
        #[arg(long, value_name = "KERNEL", default_value = DEFAULT, help = KERNEL_HELP)]
        kernel: String,
        #[command(flatten)]
        architecture: ArchitectureArgument,
        /// Print JSON, one line per kernel
        #[arg(long)]
        json: bool,
    },
}

impl TryFrom<BenchArguments> for BenchOptions {
    type Error = Problem;

    fn try_from(arguments: BenchArguments) -> Result<Self, Problem> {
        if let Some(OtherMeasurement::Run {
            kernel,
            architecture,
            json,
        }) = arguments.part
        {
            return Ok(Self::WholeRun {
                kernels: Selection::parse(&kernel)?,
                architectures: architecture.chosen_architectures(),
                json,
            });
        }
        Ok(Self::Programs {
            lesson: arguments.lesson,
            kernels: Selection::parse(&arguments.kernel)?,
            architectures: arguments.architecture.chosen_architectures(),
            rounds: arguments.rounds,
            json: arguments.json,
        })
    }
}
