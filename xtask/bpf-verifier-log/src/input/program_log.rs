//! One program's log, as far as the scan keeps it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::grammar::table::FoundMessage;
use crate::grammar::template::MessageRole;
use crate::input::heading::LoaderHeading;
use crate::input::lines::LinePosition;
use crate::log::message::LogMessage;

/// One program's log.
#[derive(Debug, Default)]
pub struct ProgramLog {
    pub name: Option<String>,
    /// Where its first line is; `None` where only messages were found.
    pub begin: Option<LinePosition>,
    /// Offset after its last line.
    pub end: usize,
    /// How many instructions its lines show.
    pub insns: u64,
    /// How many instructions the verifier says it went through.
    pub processed: Option<u64>,
    /// The summary, where it says that the verifier gave up.
    pub exceeded: Option<LogMessage>,
    /// What comes after the last instruction.
    pub last: Vec<MessageLine>,
    pub report: Vec<String>,
    pub errno: Option<i32>,
    /// The log itself says that a part of it is missing.
    pub truncated: bool,
    in_global_function: bool,
    /// Functions are checked one by one: instruction 0 may come late.
    pub checks_functions: bool,
    /// An empty line follows the last line.
    pub after_blank: bool,
    /// What follows is no part of it, but for a report.
    pub is_over: bool,
}

/// A line that may say why a program was rejected.
#[derive(Clone, Debug)]
pub struct MessageLine {
    pub line: usize,
    pub text: String,
    /// Empty: no known message.
    pub found: Vec<FoundMessage>,
}

impl ProgramLog {
    /// A log that begins after what a loader said.
    pub fn new(heading: LoaderHeading) -> Self {
        Self {
            name: heading.name,
            errno: heading.errno,
            ..Self::default()
        }
    }

    /// Messages that someone wrote down without the rest.
    pub fn from_quoted(last: Vec<MessageLine>) -> Self {
        Self {
            last,
            ..Self::default()
        }
    }

    /// The verifier checks a function on its own when this log ends, not the main program.
    pub fn is_in_global_function(&self) -> bool {
        self.in_global_function
    }

    /// In a log with several functions of one program, instruction 0 may come late.
    pub fn notice_function(&mut self, text: &str) {
        let begins = text.contains("Validating ");
        self.checks_functions |= begins || text.contains("Func#");
        self.in_global_function = (self.in_global_function || begins) && !text.contains("Func#");
    }
}

impl MessageLine {
    pub fn is_from_kernel(&self) -> bool {
        self.found.iter().any(|found| found.from_kernel)
    }

    pub fn is_error(&self) -> bool {
        self.found.iter().any(|found| {
            matches!(
                found.message_role(),
                MessageRole::Error | MessageRole::Detail | MessageRole::Unexplained
            )
        })
    }
}
