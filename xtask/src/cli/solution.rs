//! `solution` and `reset`

use clap::Parser;
use course::Implementation;

use crate::cli::implementation::One;
use crate::commands::reset::ResetOptions;
use crate::commands::solution::{Presentation, SolutionOptions};

#[derive(Debug, Parser)]
pub struct SolutionArguments {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    exercise: Option<String>,
    /// aya (in Rust) or libbpf (in C, or with libbpf-rs); without it, the one that was begun
    #[arg(long = "impl", value_name = "IMPL")]
    implementation: Option<One>,
    /// Show only what differs from your answer
    #[arg(long)]
    diff: bool,
    /// Write it over your answer, of which a copy is kept
    #[arg(long, conflicts_with = "diff")]
    apply: bool,
    /// Do not ask, although the exercise is not done
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Parser)]
pub struct ResetArguments {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    #[arg(conflicts_with = "all")]
    exercise: Option<String>,
    /// Every exercise, and what is recorded as done
    #[arg(long)]
    all: bool,
    /// Do not ask
    #[arg(long)]
    yes: bool,
}

impl From<SolutionArguments> for SolutionOptions {
    fn from(arguments: SolutionArguments) -> Self {
        let presentation = match (arguments.apply, arguments.diff) {
            (true, _) => Presentation::Apply,
            (_, true) => Presentation::Difference,
            _ => Presentation::Whole,
        };
        Self {
            exercise: arguments.exercise,
            implementation: arguments.implementation.map(Implementation::from),
            presentation,
            yes: arguments.yes,
        }
    }
}

impl From<ResetArguments> for ResetOptions {
    fn from(arguments: ResetArguments) -> Self {
        Self {
            exercise: arguments.exercise,
            all: arguments.all,
            yes: arguments.yes,
        }
    }
}
