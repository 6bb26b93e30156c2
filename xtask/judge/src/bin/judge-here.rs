//! Judges programs for the learner's own machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    judge::run(judge::intro::find)
}
