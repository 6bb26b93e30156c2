//! `new`

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum NewArguments {
    /// An exercise: 03/count-by-comm
    Exercise {
        /// Lesson and name; the name has small letters, digits and hyphens
        name: String,
    },
}
