//! `try`

use std::env;
use std::path::PathBuf;

use clap::Parser;
use kernel::DEFAULT;
use problem::Problem;

use crate::commands::try_binary::TryOptions;
use crate::pipeline::selection::Selection;

pub const TRY_HELP: &str = "\
From the first argument that is no option of `try` on, all are for the program; after `--`, all.
The program gets a fresh VM on each kernel, as root, with the shared libraries that it needs here,
empty directories /tmp, /run, /root (its working directory) and /var, and no other program. Its
output comes back as it is. What it leaves in the kernel is named: eBPF programs, links, pinned
objects, queueing disciplines.
Exit code 0: it exited with 0 on every kernel. 1: it did not. 3: a VM could not be started.
Examples:
  cargo xtask try --kernel all ~/open-count/target/debug/open-count
  cargo xtask try ~/open-count/target/debug/open-count 5

As cargo's runner, in a project's .cargo/config.toml, it runs `cargo run` and `cargo test` in a VM:
  [target.x86_64-unknown-linux-gnu]
  runner = [\"CHECKOUT/target/debug/xtask\", \"try\"]
It then takes the kernels from the variable XTASK_KERNELS:
  XTASK_KERNELS=all cargo test";

/// Names the kernels where no option can: as cargo's runner.
const KERNELS: &str = "XTASK_KERNELS";

#[derive(Debug, Parser)]
pub struct TryArguments {
    /// A series such as 6.12, several (6.1,7.0 or 6.12..7.1), all: the course's five, every: all
    /// eleven, or the path of a bzImage or vmlinux; without it, what XTASK_KERNELS says, or 6.12
    #[arg(long, value_name = "KERNEL")]
    kernel: Option<String>,
    /// Seconds that the program may take on each kernel
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    #[arg(value_parser = clap::value_parser!(u64).range(1..))]
    seconds: u64,
    /// How many VMs run side by side; without it, as many as cores and memory allow
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// A program for x86-64 Linux
    #[arg(value_name = "BINARY")]
    binary: PathBuf,
    /// Arguments for it
    #[arg(
        trailing_var_arg = true,
        allow_hyphen_values = true,
        value_name = "ARGS"
    )]
    arguments: Vec<String>,
}

impl TryFrom<TryArguments> for TryOptions {
    type Error = Problem;

    fn try_from(arguments: TryArguments) -> Result<Self, Problem> {
        let kernels = match arguments.kernel {
            Some(kernels) => Selection::parse(&kernels)?,
            None => match env::var(KERNELS) {
                Ok(kernels) if !kernels.is_empty() => Selection::parse(&kernels)
                    .map_err(|problem| problem.help(format!("{KERNELS} names it")))?,
                _ => Selection::one(DEFAULT),
            },
        };
        Ok(Self {
            binary: arguments.binary,
            arguments: arguments.arguments,
            kernels,
            seconds: arguments.seconds,
            jobs: arguments.jobs,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_follows_the_program_is_for_it() {
        let line = [
            "try",
            "--kernel",
            "5.10",
            "/bin/prog",
            "--seconds-of",
            "-x",
            "5",
        ];
        let arguments = TryArguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.kernel.as_deref(), Some("5.10"));
        assert_eq!(arguments.arguments, ["--seconds-of", "-x", "5"]);
        let line = ["try", "/bin/prog", "--kernel", "all", "-x", "--kernel", "5"];
        let arguments = TryArguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.kernel.as_deref(), Some("all"));
        assert_eq!(arguments.arguments, ["-x", "--kernel", "5"]);
        let line = ["try", "/bin/prog", "--", "--kernel", "5"];
        let arguments = TryArguments::try_parse_from(line).unwrap();
        assert_eq!(arguments.arguments, ["--kernel", "5"]);
    }
}
