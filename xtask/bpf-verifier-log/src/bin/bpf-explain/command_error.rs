//! What went wrong, for a person.

use std::fmt;

/// An error with what to type next.
#[derive(Debug)]
pub struct CommandError {
    what: String,
    help: Vec<String>,
    exit_code: u8,
}

impl CommandError {
    /// The command line cannot be followed.
    pub fn usage(what: impl Into<String>) -> Self {
        Self {
            what: what.into(),
            help: Vec::new(),
            exit_code: 2,
        }
    }

    /// Something failed that another command line would not change.
    pub fn machine(what: impl Into<String>) -> Self {
        Self {
            exit_code: 3,
            ..Self::usage(what)
        }
    }

    pub fn add_help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }

    pub fn exit_code(&self) -> u8 {
        self.exit_code
    }
}

impl fmt::Display for CommandError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "error: {}", self.what)?;
        for line in &self.help {
            writeln!(f, "  help: {line}")?;
        }
        Ok(())
    }
}
