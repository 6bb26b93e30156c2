//! Judges programs for the kernel, in a guest.

use std::process::ExitCode;

fn main() -> ExitCode {
    judge::run_judge(judge::lessons::find_exercise)
}
