//! A problem the user can do something about: what failed, on which object, why, and what to type
//! next.
//!
//! Everything else travels as a plain [`anyhow::Error`]; the tool's `main` prints both and picks
//! the exit code. This crate prints nothing.
//!
//! ```text
//!   Problem        what failed, what to type next, the exit code
//!   Exit           the exit codes of every command
//!   find_similar   the name that was probably meant, for a `help:` line
//! ```

mod similar;

use std::fmt;

pub use similar::{find_similar, find_similar_names};

/// The exit codes of every command, also in `--help`.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// The command did what it was asked to do.
    Done = 0,
    /// It ran, and the answer is no: a lesson failed, an exercise is not right yet.
    NotYet = 1,
    /// The command line made no sense.
    Usage = 2,
    /// Something is missing on this machine: a tool, a permission, the network, memory.
    MachineNotReady = 3,
    /// A program that was run gave the code by which Rust's test harness says that a test failed:
    /// cargo shows such an end without a further error.
    TestFailed = 101,
}

#[derive(Debug)]
pub struct Problem {
    what: String,
    help: Vec<String>,
    exit: Exit,
}

impl Problem {
    pub fn new(exit: Exit, what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: Vec::new(),
            exit,
        }
    }

    pub fn usage(what: impl Into<String>) -> Self {
        Self::new(Exit::Usage, what)
    }

    pub fn machine(what: impl Into<String>) -> Self {
        Self::new(Exit::MachineNotReady, what)
    }

    /// Adds a line that says what to do next, best a command to type.
    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    pub fn exit(&self) -> Exit {
        self.exit
    }

    pub fn help_lines(&self) -> &[String] {
        &self.help
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Problem {}
