//! `hint`

use clap::Parser;

use crate::commands::hint::HintOptions;

#[derive(Debug, Parser)]
pub struct HintArguments {
    /// An exercise, or a lesson: its first exercise that is not done; without one, the first of all
    exercise: Option<String>,
    /// All three at once
    #[arg(long)]
    all: bool,
}

impl From<HintArguments> for HintOptions {
    fn from(arguments: HintArguments) -> Self {
        Self {
            exercise: arguments.exercise,
            all: arguments.all,
        }
    }
}
