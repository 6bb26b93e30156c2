//! How a lesson fails: what it says on standard error, and its exit code.
//!
//! 0 done, 1 it ran and something failed, 2 usage (from clap), 3 this machine is not ready, 126 or
//! 127 a command that the lesson was to run did not start.

use std::fmt;
use std::io::{self, ErrorKind, Write as _};
use std::process::ExitCode;

use anyhow::{Error, Result};

use crate::process_tree::NotStarted;

/// What is missing from this machine or its kernel, and what to do about it.
#[derive(Debug)]
pub struct NotReady {
    what: String,
    help: Vec<String>,
}

impl NotReady {
    pub fn new(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: Vec::new(),
        }
    }

    /// Adds a line that says what to do next, best a command to type.
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    pub fn help_lines(&self) -> &[String] {
        &self.help
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for NotReady {}

/// The end of a lesson's `main`: prints what went wrong and picks the exit code.
pub fn exit_code(result: Result<()>) -> ExitCode {
    match result {
        Err(error) if !is_broken_pipe(&error) => {
            // When standard error is closed too, the exit code still tells.
            let _ = io::stderr().write_all(report(&error).as_bytes());
            ExitCode::from(code(&error))
        }
        _ => ExitCode::SUCCESS,
    }
}

/// `hello-kprobe | head` closes our output early: that is no failure.
fn is_broken_pipe(error: &Error) -> bool {
    error
        .downcast_ref::<io::Error>()
        .is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}

fn report(error: &Error) -> String {
    let mut report = format!("error: {error:#}\n");
    for line in error.downcast_ref().map_or(&[][..], NotReady::help_lines) {
        report += &format!("help: {line}\n");
    }
    report
}

fn code(error: &Error) -> u8 {
    if error.is::<NotReady>() {
        3
    } else {
        error.downcast_ref().map_or(1, NotStarted::exit_code)
    }
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn what_is_missing_comes_with_help_and_exit_code_3() {
        let problem = NotReady::new("find the spoon: there is none")
            .help("buy one")
            .help("borrow one");
        for error in [Error::new(problem), not_ready_with_context()] {
            assert!(
                report(&error)
                    .ends_with("find the spoon: there is none\nhelp: buy one\nhelp: borrow one\n")
            );
            assert_eq!(code(&error), 3);
        }
    }

    fn not_ready_with_context() -> Error {
        Error::new(
            NotReady::new("find the spoon: there is none")
                .help("buy one")
                .help("borrow one"),
        )
        .context("eat")
    }

    #[test]
    fn everything_else_is_exit_code_1() {
        let error = anyhow!("it is full").context("fill the cup");
        assert_eq!(report(&error), "error: fill the cup: it is full\n");
        assert_eq!(code(&error), 1);
    }

    #[test]
    fn a_closed_output_is_no_failure() {
        let error = |kind: ErrorKind| Error::new(io::Error::from(kind));
        assert!(is_broken_pipe(&error(ErrorKind::BrokenPipe)));
        assert!(is_broken_pipe(
            &error(ErrorKind::BrokenPipe).context("show a line")
        ));
        assert!(!is_broken_pipe(&error(ErrorKind::NotFound)));
    }
}
