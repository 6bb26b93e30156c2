//! `shell`

use clap::Parser;
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::architecture::OneArchitectureArgument;
use crate::cli::implementation::One;
use crate::commands::shell::ShellOptions;
use crate::pipeline::selection::Selection;

pub const SHELL_HELP: &str = "\
`exit` or Ctrl-D ends the VM; Ctrl-] ends it at once.
Without a terminal, the commands come from standard input:
  echo 'bpftool feature' | cargo xtask shell";

#[derive(Debug, Parser)]
pub struct ShellArguments {
    /// A series such as 6.12, or the path of a bzImage, vmlinux or arm64 Image
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT)]
    kernel: String,
    #[command(flatten)]
    architecture: OneArchitectureArgument,
    /// The library that the lessons' programs use unless told otherwise
    #[arg(long = "impl", value_name = "IMPL", default_value = "aya")]
    implementation: One,
}

impl TryFrom<ShellArguments> for ShellOptions {
    type Error = Problem;

    fn try_from(arguments: ShellArguments) -> Result<Self, Problem> {
        Ok(Self {
            kernel: Selection::parse(&arguments.kernel)?,
            architecture: arguments.architecture.architecture,
            implementation: arguments.implementation.into(),
        })
    }
}
