//! Judges answers to exercises. The learner's programs are all that it takes from the learner.
//!
//! ```text
//!   cli                    the command line
//!   exercise               an exercise and what judges its answers
//!   check                  what must be true of an answer
//!   answer_program         the learner's program that runs without a kernel's help
//!   intro                  the judges of lesson 00, which need no kernel
//!   bytecode               instructions, written and run by those
//!   kernel_exercise        what an exercise asks of a program for the kernel
//!   hook                   where a program is attached: as the exercise asks, as its section says
//!   map_spec               what a map must be
//!   global                 a global variable that is set before the answer is loaded
//!   judge_object           how an object file is judged, step by step
//!   user_program           the learner's program that loads an eBPF program
//!   traced                 that program, stopped at each of its system calls
//!   user_program_exercise  what an exercise asks of such a program
//!   judge_user_program     how it is judged, step by step
//!   answer_object          what the learner's ELF file says about itself
//!   fit                    whether it has the exercise's programs, hooks, maps and variables
//!   library                what a library does
//!   open                   chooses one: with_libbpf for answers in C, with_aya for answers in Rust
//!   sections, near         the nearest names, for a section or a hook that does not exist
//!   answer                 the answer, loaded and attached; its maps by name
//!   field_offset           where a field is in the record of a tracepoint
//!   probed                 functions of the judge, for probes to see
//!   cpu_clock              the perf event that takes samples
//!   spin                   code that keeps a CPU busy, at addresses that are known
//!   target_file            a program that is made for one run, for probes to see
//!   target_code            what that program does
//!   frame                  frames, and what packet programs do with them
//!   cgroup                 the cgroup that programs for connections are attached to
//!   skipped_runs           a check that the kernel spoilt is done again
//!   work                   what the judges do for the programs to see
//!   lessons/               the judges themselves, a file for each lesson
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

mod answer_program;
mod bytecode;
mod check;
mod cli;
mod exercise;
pub mod intro;

#[cfg(feature = "kernel")]
mod answer;
#[cfg(feature = "kernel")]
mod answer_object;
#[cfg(feature = "kernel")]
mod cgroup;
#[cfg(feature = "kernel")]
mod cpu_clock;
#[cfg(feature = "kernel")]
mod field_offset;
#[cfg(feature = "kernel")]
mod fit;
#[cfg(feature = "kernel")]
mod frame;
#[cfg(feature = "kernel")]
mod global;
#[cfg(feature = "kernel")]
mod hook;
#[cfg(feature = "kernel")]
mod judge_object;
#[cfg(feature = "kernel")]
mod judge_user_program;
#[cfg(feature = "kernel")]
mod kernel_exercise;
#[cfg(feature = "kernel")]
pub mod lessons;
#[cfg(feature = "kernel")]
mod library;
#[cfg(feature = "kernel")]
mod loaded;
#[cfg(feature = "kernel")]
mod lost_update;
#[cfg(feature = "kernel")]
mod map_spec;
#[cfg(feature = "kernel")]
mod near;
#[cfg(feature = "kernel")]
mod open;
#[cfg(feature = "kernel")]
mod probed;
#[cfg(feature = "kernel")]
mod sections;
#[cfg(feature = "kernel")]
mod skipped_runs;
#[cfg(feature = "kernel")]
mod spin;
#[cfg(feature = "kernel")]
mod target_code;
#[cfg(feature = "kernel")]
mod target_file;
#[cfg(feature = "kernel")]
mod traced;
#[cfg(feature = "kernel")]
mod user_program;
#[cfg(feature = "kernel")]
mod user_program_exercise;
#[cfg(feature = "kernel")]
mod with_aya;
#[cfg(feature = "kernel")]
mod with_libbpf;
#[cfg(feature = "kernel")]
mod work;

use std::io::{self, Write as _};
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::Parser as _;
use plan::judge::Said;

use cli::Cli;
pub use exercise::JudgedExercise;

/// All that both programs do; they differ in the exercises that they know.
pub fn run_judge(find_exercise: fn(&str) -> Result<&'static JudgedExercise>) -> ExitCode {
    let cli = Cli::parse();
    let exercise = find_exercise(&cli.exercise);
    match exercise.and_then(|exercise| exercise.judge_answer(&cli, &mut print_line)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_line(said: &Said) -> Result<()> {
    let mut line = serde_json::to_string(said)?;
    line.push('\n');
    io::stdout()
        .write_all(line.as_bytes())
        .context("cannot print")?;
    io::stdout().flush().context("cannot print")
}
