//! Judges answers to exercises. The learner's programs are all that it takes from the learner.
//!
//! ```text
//!   exercise   what a lesson's judges are made of: checks
//!   kernel     what else one for the kernel is made of: programs, hooks, maps, global variables
//!   hook       where a program is attached, as the exercise asks for and as its section says
//!   map_spec   what a map must be
//!   object_file  what the learner's ELF file says about itself
//!   fit        whether it has the programs, hooks, maps and variables of the exercise
//!   library    what a library does: with_libbpf for answers in C, with_aya for answers in Rust
//!   sections, near  the nearest names, for a section or a hook that does not exist
//!   answer     the answer, loaded and attached; its maps by name
//!   command    the learner's program that runs without a kernel's help
//!   format     where a field is in the record of a tracepoint
//!   frame      frames, and what packet programs do with them
//!   work       what they do for the programs to see
//!   lessons/   the judges themselves, a file for each lesson
//!   intro      the judges of lesson 00, which need no kernel
//!   bytecode   instructions, written and run by those
//! ```
//!
//! It runs in a guest of `cargo xtask`, as one step of a plan, or, for exercises that need no
//! kernel, on the learner's machine. It loads and attaches an object file with the library that the
//! answer is written for, by the names of its sections: what is right here works in the learner's
//! own program. Both answers then meet the same checks.
//!
//! Whoever has just cloned the course has no VM yet, and no libelf to build libbpf with. So there
//! are two programs: `judge`, for the guest, and `judge-here`, which is built without the feature
//! `kernel` in a few seconds.

mod bytecode;
mod command;
mod exercise;
pub mod intro;

#[cfg(feature = "kernel")]
mod answer;
#[cfg(feature = "kernel")]
mod fit;
#[cfg(feature = "kernel")]
mod format;
#[cfg(feature = "kernel")]
mod frame;
#[cfg(feature = "kernel")]
mod hook;
#[cfg(feature = "kernel")]
mod kernel;
#[cfg(feature = "kernel")]
pub mod lessons;
#[cfg(feature = "kernel")]
mod library;
#[cfg(feature = "kernel")]
mod map_spec;
#[cfg(feature = "kernel")]
mod near;
#[cfg(feature = "kernel")]
mod object_file;
#[cfg(feature = "kernel")]
mod sections;
#[cfg(feature = "kernel")]
mod with_aya;
#[cfg(feature = "kernel")]
mod with_libbpf;
#[cfg(feature = "kernel")]
mod work;

use std::fmt;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Parser, ValueEnum};
use plan::judge::Said;

pub use exercise::Exercise;

/// Judges an answer to an exercise and prints a line of JSON for each check.
#[derive(Parser)]
pub struct Cli {
    /// Such as 03/count-by-comm
    exercise: String,
    /// The object file, or the program
    answer: PathBuf,
    /// The library that the object file is written for
    #[arg(long, value_enum)]
    with: Option<Library>,
    /// Stop after the first check, which reads the object file and needs no kernel
    #[arg(long)]
    fit_only: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Library {
    Aya,
    Libbpf,
}

impl fmt::Display for Library {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Aya => "aya",
            Self::Libbpf => "libbpf",
        })
    }
}

/// All that both programs do; they differ in the exercises that they know.
pub fn run(find: fn(&str) -> Result<&'static Exercise>) -> ExitCode {
    let cli = Cli::parse();
    match find(&cli.exercise).and_then(|exercise| exercise.judge(&cli, &mut say)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn say(said: &Said) -> Result<()> {
    let mut line = serde_json::to_string(said)?;
    line.push('\n');
    io::stdout().write_all(line.as_bytes()).context("print")?;
    io::stdout().flush().context("print")
}
