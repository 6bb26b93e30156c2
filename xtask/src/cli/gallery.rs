//! `gallery`

use clap::Parser;
use course::entry::Language;
use kernel::DEFAULT;
use problem::Problem;

use crate::cli::architecture::ArchitectureArgument;
use crate::cli::implementation::Which;
use crate::commands::gallery::GalleryOptions;
use crate::pipeline::selection::{KERNEL_HELP, Selection};

#[derive(Debug, Parser)]
pub struct GalleryArguments {
    /// An entry; without one, all of them are listed
    entry: Option<String>,
    #[arg(long, value_name = "KERNEL", default_value = DEFAULT, help = KERNEL_HELP)]
    kernel: String,
    #[command(flatten)]
    architecture: ArchitectureArgument,
    /// aya (the programs in Rust), libbpf (those in C), or both
    #[arg(long = "impl", value_name = "IMPL", default_value = "both")]
    implementation: Which,
    /// Show the verifier's whole log
    #[arg(long)]
    log: bool,
}

impl TryFrom<GalleryArguments> for GalleryOptions {
    type Error = Problem;

    fn try_from(arguments: GalleryArguments) -> Result<Self, Problem> {
        let languages = match arguments.implementation {
            Which::Aya => vec![Language::Rust],
            Which::Libbpf => vec![Language::C],
            Which::Both => Language::ALL.to_vec(),
        };
        Ok(Self {
            entry: arguments.entry,
            kernels: Selection::parse(&arguments.kernel)?,
            architectures: arguments.architecture.chosen_architectures(),
            languages,
            log: arguments.log,
        })
    }
}
