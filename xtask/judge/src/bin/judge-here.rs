//! Judges programs for the learner's own machine.

use std::process::ExitCode;

fn main() -> ExitCode {
    judge::run_judge(judge::intro::find_exercise)
}
