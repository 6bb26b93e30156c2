//! `check`

use clap::Parser;
use course::Implementation;
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::architecture::ArchitectureArgument;
use crate::cli::implementation::One;
use crate::commands::check::{CheckOptions, Wanted};
use crate::pipeline::selection::{KERNEL_HELP, Selection};

pub const CHECK_HELP: &str = "\
The judge is not in the file that you edit. In a VM it loads your program (with aya if it is in
Rust, with libbpf if it is in C), causes events, and looks at the program's maps. If your program is
one of user space, the judge starts it, gives it commands, and looks at what it prints and at what
is in the kernel. What the judge does differs on each run.
Exit code 0: the answer is right. 1: not yet. For a class: cargo xtask check --all --json prints
the score.

JSON (fields may be added):
  version            1
  passed             how many answers are right
  of                 how many there are
  exercises          each with
    exercise         03/count-by-comm
    implementation   aya or libbpf
    kernel           6.12; null if it needs none
    architecture     the kernel's: amd64 or arm64; null if it needs none
    passed           true if the answer is right
    warnings         the compiler's
    checks           each with
      check          its name
      verdict        passed, failed, rejected or not run
      why            in a sentence, or null
      log            the verifier's, if it rejected the program; or null
      note           what the judge adds to that, or null
      site           the line that the verifier refused, as in cargo xtask explain --help
      forbidden_calls
                     lines that can panic, and the like: as in cargo xtask explain --help
      seconds        how long it took";

#[derive(Debug, Parser)]
pub struct CheckArguments {
    /// An exercise (03/count-by-comm), or a lesson (03): its first exercise that is not done;
    /// without one, the first of all
    #[arg(conflicts_with = "all")]
    exercise: Option<String>,
    /// Every exercise; rewrites the record of what is done
    #[arg(long)]
    all: bool,
    /// aya (the answer in Rust) or libbpf (the one in C, or with libbpf-rs); without it, the one
    /// that was begun
    #[arg(long = "impl", value_name = "IMPL")]
    implementation: Option<One>,
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT, help = KERNEL_HELP)]
    kernel: String,
    #[command(flatten)]
    architecture: ArchitectureArgument,
    /// With --all: go on after an answer that is not right
    #[arg(long, requires = "all")]
    keep_going: bool,
    /// Print JSON; implies --keep-going
    #[arg(long)]
    json: bool,
}

impl TryFrom<CheckArguments> for CheckOptions {
    type Error = Problem;

    fn try_from(arguments: CheckArguments) -> Result<Self, Problem> {
        let wanted = if arguments.all {
            Wanted::All {
                keep_going: arguments.keep_going || arguments.json,
            }
        } else {
            Wanted::Named(arguments.exercise)
        };
        Ok(Self {
            wanted,
            implementation: arguments.implementation.map(Implementation::from),
            kernels: Selection::parse(&arguments.kernel)?,
            architectures: arguments.architecture.chosen_architectures(),
            json: arguments.json,
        })
    }
}
