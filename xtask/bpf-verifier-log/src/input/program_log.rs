//! One program's log, as far as the scan keeps it.

use alloc::string::String;
use alloc::vec::Vec;

use crate::grammar::table::FoundMessage;
use crate::grammar::template::MessageRole;
use crate::input::btf_log::BtfLog;
use crate::input::heading::LoaderHeading;
use crate::input::lines::LinePlace;
use crate::input::loader::Loader;
use crate::input::missing_part::MissingPart;
use crate::input::step_lines::StepLines;
use crate::log::message::LogMessage;

/// One program's log.
#[derive(Debug, Default)]
pub struct ProgramLog {
    pub name: Option<String>,
    /// Where its first line is; `None` where only messages were found.
    pub begin: Option<LinePlace>,
    /// The last of its lines that say what the verifier did.
    pub steps: StepLines,
    /// How many instructions its lines show.
    pub insns: u64,
    /// How many instructions the verifier says it went through.
    pub processed: Option<u64>,
    /// The summary, where it says that the verifier gave up.
    pub exceeded: Option<LogMessage>,
    /// What comes after the last instruction.
    pub last: Vec<MessageLine>,
    pub report: Vec<String>,
    /// The number of the report's first line.
    pub report_line: usize,
    pub errno: Option<i32>,
    /// What printed it.
    pub loader: Option<Loader>,
    /// A loader says that the kernel's buffer was too small.
    pub truncated: bool,
    /// How many instructions came before lines that a loader left out.
    pub gap_after: Option<u64>,
    /// A loader says where it begins.
    pub has_begin_mark: bool,
    /// The number of the first instruction that it shows.
    pub first_pc: Option<u32>,
    /// All there is of it is the line of a loader's error.
    pub is_one_line: bool,
    /// The loader says that a CO-RE relocation of the program failed.
    pub fails_relocation: bool,
    /// A loader says that the program was not loaded.
    pub fails_load: bool,
    /// It is about the types of an object file.
    pub btf: Option<BtfLog>,
    in_global_function: bool,
    at_function_start: bool,
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
            loader: heading.loader,
            has_begin_mark: heading.begins_log,
            fails_relocation: heading.fails_relocation,
            fails_load: heading.fails_load,
            gap_after: heading.skips_lines.then_some(0),
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

    /// The check of a function has begun, and no instruction has come since: kernels up to 6.7
    /// check the functions one after the other, and say first what is wrong with one's arguments.
    pub fn is_at_function_start(&self) -> bool {
        self.in_global_function && self.at_function_start
    }

    /// In a log with several functions of one program, instruction 0 may come late.
    pub fn notice_function(&mut self, text: &str) {
        let begins = text.contains("Validating ");
        self.checks_functions |= begins || text.contains("Func#");
        self.in_global_function = (self.in_global_function || begins) && !text.contains("Func#");
        if begins {
            self.at_function_start = true;
            // What was said above is about other functions.
            self.last.clear();
        }
    }

    pub fn notice_insn(&mut self, pc: u32) {
        self.first_pc.get_or_insert(pc);
        self.insns += 1;
        self.at_function_start = false;
        self.last.clear();
        self.after_blank = false;
    }

    /// Whether it has no line yet.
    pub fn is_empty(&self) -> bool {
        self.insns == 0
            && self.processed.is_none()
            && self.last.is_empty()
            && self.btf.is_none()
            && self.report.is_empty()
            && self.steps.first_place().is_none()
    }

    /// Whether it is nothing but words that only looked like a report.
    pub fn is_nothing(&self) -> bool {
        let has_words = !self.report.is_empty() && !self.has_report();
        self.begin.is_none() && has_words && self.last.is_empty() && self.processed.is_none()
    }

    /// Whether it has a report of Linux 7.3, and not just words that also begin one.
    pub fn has_report(&self) -> bool {
        let Some(title) = self.report.first() else {
            return false;
        };
        let is_safety = title.contains(" Safety: ")
            || title.contains(": Program Structure: ")
            || title.contains(": Policy: ");
        is_safety || self.report.iter().any(|line| is_heading_of_reason(line))
    }

    /// The part of it that is missing. `has_reason`: it says why the program was rejected.
    pub fn find_missing_part(&self, has_reason: bool) -> Option<MissingPart> {
        let has_end = has_reason || self.processed.is_some() || self.has_report();
        if let Some(above) = self.gap_after {
            return Some(match above {
                0 => MissingPart::Beginning,
                _ if above == self.insns && !has_end => MissingPart::End,
                _ => MissingPart::Middle,
            });
        }
        if self.truncated && !has_end {
            return Some(MissingPart::End);
        }
        let has_lines = self.insns > 0 || self.has_begin_mark;
        if !has_end && !self.is_one_line && has_lines {
            return Some(MissingPart::End);
        }
        // What is found after the walk is all that a log of level 1 says: the lines of paths that
        // are verified are taken back.
        let has_steps = has_reason || self.insns > 0 || self.has_report();
        // Without an error number it may also be the statistics of a program that was loaded.
        let has_failed = self.errno.is_some();
        let is_tail = has_failed && !has_steps && self.processed > Some(0) && !self.has_begin_mark;
        let begins_late = self.first_pc > Some(0) && !self.checks_functions;
        if is_tail || begins_late {
            return Some(MissingPart::Beginning);
        }
        // Linux 6.4 and later keep the end, unless the loader asks for the beginning.
        self.truncated.then_some(MissingPart::Beginning)
    }
}

/// `Reason:`, also after what a quotation or a logger puts before each line.
fn is_heading_of_reason(line: &str) -> bool {
    let before = line.trim_end().strip_suffix("Reason:");
    before.is_some_and(|before| !before.ends_with(char::is_alphanumeric))
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
