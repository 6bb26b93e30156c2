//! `new`

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::implementation::Which;
use crate::commands::new::hook::Hook;
use crate::commands::new::project::ProjectOptions;

#[derive(Debug, Subcommand)]
pub enum NewArguments {
    /// A project of your own, outside of the checkout: small, whole, ready to build and run
    #[command(after_help = PROJECT_HELP)]
    Project(ProjectArguments),
    /// An exercise of the course, for contributors: 03/count-by-comm
    Exercise {
        /// Lesson and name; the name has small letters, digits and hyphens
        name: String,
    },
}

const PROJECT_HELP: &str = "\
The project counts events in a map and prints the counts. It is yours to change, and needs nothing
of the course: its README says what to install on another machine. On this machine, `cargo run` and
`cargo test` in it run in a VM of the course, on the kernels that XTASK_KERNELS names.
Examples:
  cargo xtask new project ~/open-count
  cargo xtask new project ~/packets --hook xdp --impl both
  cd ~/open-count && XTASK_KERNELS=all cargo run";

#[derive(Debug, Parser)]
pub struct ProjectArguments {
    /// A directory that does not exist yet, or is empty; its name becomes the project's
    path: PathBuf,
    /// aya (the eBPF program is in Rust), libbpf (it is in C), or both
    #[arg(long = "impl", value_name = "IMPL", default_value = "aya")]
    implementation: Which,
    /// What the eBPF program is attached to
    #[arg(long, value_enum, value_name = "HOOK", default_value = "kprobe")]
    hook: Hook,
}

impl From<ProjectArguments> for ProjectOptions {
    fn from(arguments: ProjectArguments) -> Self {
        Self {
            path: arguments.path,
            hook: arguments.hook,
            implementations: arguments.implementation.chosen_implementations(),
        }
    }
}
