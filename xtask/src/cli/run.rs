//! `run`

use clap::Parser;
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::architecture::ArchitectureArgument;
use crate::cli::implementation::Which;
use crate::commands::run::RunOptions;
use crate::pipeline::selection::{KERNEL_HELP, Selection};

pub const RUN_EXAMPLES: &str = "\
Examples:
  cargo xtask run 01                            on the default kernel, with aya
  cargo xtask run 01 --impl both --kernel all   both implementations on all five kernels
  cargo xtask run 01 --kernel /boot/vmlinuz-X   on a kernel image that you have
  cargo xtask run 01 --arch arm64               on an arm64 kernel
  cargo xtask run 01 -- --help                  what the lesson's program can do";

#[derive(Debug, Parser)]
pub struct RunArguments {
    /// A lesson: 1, 01, hello-kprobe or 01-hello-kprobe
    lesson: String,
    /// aya, libbpf or both
    #[arg(long = "impl", value_name = "IMPL", default_value = "aya")]
    implementation: Which,
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT, help = KERNEL_HELP)]
    kernel: String,
    #[command(flatten)]
    architecture: ArchitectureArgument,
    /// Run on this machine's own kernel instead of in a VM; needs root
    #[arg(long, conflicts_with_all = ["kernel", "architecture"])]
    host: bool,
    /// Keep the lesson running after its demo; on a terminal, with a prompt in its VM, so that you
    /// can cause events
    #[arg(long, conflicts_with = "args")]
    follow: bool,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Show what did not work, for example why a VM was booted and not resumed
    #[arg(long, short)]
    verbose: bool,
    /// Arguments for the lesson's program, in place of its demo's
    #[arg(last = true, value_name = "ARGS")]
    args: Vec<String>,
}

impl TryFrom<RunArguments> for RunOptions {
    type Error = Problem;

    fn try_from(arguments: RunArguments) -> Result<Self, Problem> {
        Ok(Self {
            lesson: arguments.lesson,
            implementations: arguments.implementation.chosen_implementations(),
            kernels: Selection::parse(&arguments.kernel)?,
            architectures: arguments.architecture.chosen_architectures(),
            host: arguments.host,
            follow: arguments.follow,
            jobs: arguments.jobs,
            verbose: arguments.verbose,
            arguments: arguments.args,
        })
    }
}
