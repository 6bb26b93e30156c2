//! `setup` and `doctor`

use clap::Parser;
use kernel::Architecture;
use problem::Problem;

use crate::commands::setup::SetupOptions;
use crate::pipeline::selection::Selection;

pub const DOCTOR_HELP: &str = "\
JSON: an array (fields may be added)
  item               what was looked at
  state              ok, note (it works without, at a cost) or missing
  found              what is there
  fix                what to type; left out if nothing is to be done";

#[derive(Debug, Parser)]
pub struct DoctorArguments {
    /// Print JSON
    #[arg(long)]
    pub json: bool,
}

#[derive(Debug, Parser)]
pub struct SetupArguments {
    /// Only say what would be done
    #[arg(long, conflicts_with = "update_kernels")]
    dry_run: bool,
    /// Install packages of the system without asking
    #[arg(long)]
    yes: bool,
    /// Move kernels.lock on to the newest version of each kernel, and install those
    #[arg(long)]
    update_kernels: bool,
    /// The kernels to fetch: a series such as 6.12, several (6.1,7.0 or 6.12..7.1), all: the
    /// course's five, or every: all eleven
    #[arg(long, value_name = "KERNEL", default_value = "all")]
    kernel: String,
    /// The architecture of the kernels, and of what is needed to build for it: amd64 or arm64
    #[arg(long = "arch", value_name = "ARCH", default_value_t = Architecture::HOST)]
    architecture: Architecture,
}

impl TryFrom<SetupArguments> for SetupOptions {
    type Error = Problem;

    fn try_from(arguments: SetupArguments) -> Result<Self, Problem> {
        Ok(Self {
            dry_run: arguments.dry_run,
            yes: arguments.yes,
            update_kernels: arguments.update_kernels,
            kernels: Selection::parse(&arguments.kernel)?,
            architecture: arguments.architecture,
        })
    }
}
