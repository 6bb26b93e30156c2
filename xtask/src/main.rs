//! The one place that prints errors and picks the exit code.

use std::io::ErrorKind;
use std::process::ExitCode;

use xtask::cli;
use xtask::interrupt;
use xtask::problem::{Exit, Problem};
use xtask::screen;
use xtask::vm::Interrupted;

fn main() -> ExitCode {
    match interrupt::install().and_then(|()| cli::run()) {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => ExitCode::from(report(&error) as u8),
    }
}

fn report(error: &anyhow::Error) -> Exit {
    if let Some(Interrupted(signal)) = error.downcast_ref() {
        interrupt::end_by(*signal);
    }
    if is_broken_pipe(error) {
        // Whoever read our output has seen enough.
        return Exit::Done;
    }
    screen::note(&format!("\x1b[1;31merror\x1b[0m: {error:#}"));
    let problem = error.downcast_ref::<Problem>();
    for line in problem.map_or(&[][..], Problem::help_lines) {
        screen::note(&format!("  \x1b[1mhelp\x1b[0m: {line}"));
    }
    problem.map_or(Exit::MachineNotReady, Problem::exit)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}
