//! The one place where errors end a command, and the exit code is picked.

use std::io::ErrorKind;
use std::process::ExitCode;

use problem::{Exit, Problem};
use processes::{Interrupted, interrupt};
use requirements::exposure;
use xtask::cli;
use xtask::output::error::show_error;
use xtask::pipeline::own_build;

fn main() -> ExitCode {
    exposure::keep_new_files_from_others();
    match interrupt::install_handlers()
        .and_then(|()| own_build::ensure_own_build())
        .and_then(|()| cli::run_command())
    {
        Ok(exit) => ExitCode::from(exit as u8),
        Err(error) => ExitCode::from(report(&error) as u8),
    }
}

fn report(error: &anyhow::Error) -> Exit {
    if let Some(Interrupted(signal)) = error.downcast_ref() {
        interrupt::end_by_signal(*signal);
    }
    if is_broken_pipe(error) {
        // Whoever read our output has seen enough.
        return Exit::Done;
    }
    show_error(error);
    error
        .downcast_ref()
        .map_or(Exit::MachineNotReady, Problem::exit)
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == ErrorKind::BrokenPipe)
}
