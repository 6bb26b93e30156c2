//! What was found about one program.

use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_class::decide_class_of_problem;
use crate::explain::decide_reason::{RejectionReason, decide_reason};
use crate::explain::diagnosis::Diagnosis;
use crate::explain::finding::{Finding, derive_finding};
use crate::explain::trace::{LogTrace, build_trace};
use crate::input::program_log::ProgramLog;
use crate::input::read_steps::read_steps;
use crate::log::insn::Insn;
use crate::log::message::LogMessage;
use crate::log::step::{LogStep, SourceLine};

/// In a word.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "kebab-case")
)]
pub enum LogVerdict {
    /// A rejection (or an error around it) of a known class.
    Explained,
    /// A rejection with a message that nobody has explained yet.
    Unknown,
    /// A log of the verifier that shows no rejection.
    NoRejection,
    /// Nothing that looks like a log of the verifier.
    NoLog,
}

/// A program that the text has a log of, or an error about.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct ExplainedProgram {
    pub verdict: LogVerdict,
    pub name: Option<String>,
    pub class: Option<Class>,
    /// The decisive line first.
    pub messages: Vec<LogMessage>,
    /// The instruction that was refused.
    pub insn: Option<Insn>,
    pub source: Option<SourceLine>,
    /// The register that the message names.
    pub register: Option<u8>,
    pub finding: Finding,
    /// The report that Linux 7.3 adds.
    pub diagnosis: Option<Diagnosis>,
    /// How many instructions the verifier went through, as it says itself.
    pub processed: Option<u64>,
    /// The error number of the system call, where the loader says it.
    pub errno: Option<i32>,
    /// A part of the log is missing.
    pub truncated: bool,
    #[cfg_attr(feature = "serde", serde(skip))]
    log: Option<ProgramLog>,
}

/// All steps of a program's log.
#[derive(Debug, Default)]
pub struct LogSteps {
    pub steps: Vec<LogStep>,
    /// Index of the step at which the program was refused.
    pub decisive: Option<usize>,
}

/// So much of a log's end is read again to see where values come from.
const WINDOW: usize = 512 * 1024;

impl ExplainedProgram {
    pub(crate) fn of_log(input: &[u8], log: ProgramLog) -> Self {
        let reason = decide_reason(&log);
        let mut program = Self {
            diagnosis: Diagnosis::read_diagnosis(&log.report),
            ..Self::without_rejection(&log)
        };
        program.class = program.choose_class(reason.as_ref());
        if let Some(reason) = reason {
            program.reject(input, &log, reason);
        } else if program.class.is_some() {
            program.verdict = LogVerdict::Explained;
        }
        program.log = Some(log);
        program
    }

    /// An error that is not the verifier's.
    pub(crate) fn of_message(class: Class, message: LogMessage) -> Self {
        Self {
            verdict: LogVerdict::Explained,
            class: Some(class),
            messages: vec![message],
            ..Self::without_rejection(&ProgramLog::default())
        }
    }

    fn without_rejection(log: &ProgramLog) -> Self {
        Self {
            verdict: LogVerdict::NoRejection,
            name: log.name.clone(),
            class: None,
            messages: Vec::new(),
            insn: None,
            source: None,
            register: None,
            finding: Finding::default(),
            diagnosis: None,
            processed: log.processed,
            errno: log.errno,
            truncated: log.truncated,
            log: None,
        }
    }

    /// The classic line decides; the report of Linux 7.3 where that line is missing or not known.
    fn choose_class(&self, reason: Option<&RejectionReason>) -> Option<Class> {
        if let Some(class) = reason.and_then(|reason| reason.class) {
            return Some(class);
        }
        decide_class_of_problem(&self.diagnosis.as_ref()?.problem)
    }

    /// Reads the end of the log again, for the instruction and what was known there.
    fn reject(&mut self, input: &[u8], log: &ProgramLog, reason: RejectionReason) {
        self.verdict = match self.class {
            Some(_) => LogVerdict::Explained,
            None => LogVerdict::Unknown,
        };
        let reason = RejectionReason {
            class: self.class,
            ..reason
        };
        let steps = read_steps(input, log, WINDOW);
        let at = find_refused_step(&reason, &steps);
        if let Some(at) = at {
            self.insn = Some(steps[at].insn.clone());
            self.source = steps[at].source.clone();
        }
        self.finding = derive_finding(&reason, &steps, at);
        self.register = reason.register;
        self.messages = reason.lines;
    }

    /// All steps of the program's log.
    pub fn read_steps(&self, input: &[u8]) -> LogSteps {
        self.last_steps(input, usize::MAX)
    }

    /// The last steps of the program's log with what was known at each, at most
    /// [`MOST_STEPS`](crate::MOST_STEPS).
    pub fn trace(&self, input: &[u8]) -> LogTrace {
        let LogSteps { steps, decisive } = self.last_steps(input, WINDOW);
        let total = usize::try_from(self.shown_insns()).unwrap_or(usize::MAX);
        build_trace(&steps, decisive, self.register, total)
    }

    fn last_steps(&self, input: &[u8], window: usize) -> LogSteps {
        let Some(log) = &self.log else {
            return LogSteps::default();
        };
        let steps = read_steps(input, log, window);
        let decisive = steps
            .iter()
            .rposition(|step| Some(&step.insn) == self.insn.as_ref());
        LogSteps { steps, decisive }
    }

    /// How many instructions the lines of the log show.
    pub(crate) fn shown_insns(&self) -> u64 {
        self.log.as_ref().map_or(0, |log| log.insns)
    }

    /// The decisive lines as one text, if the log has any.
    pub fn message(&self) -> Option<String> {
        let mut lines = Vec::new();
        for message in &self.messages {
            lines.push(message.text.as_str());
        }
        Some(lines.join("\n")).filter(|text| !text.is_empty())
    }

    /// A loader may print a log twice.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let same_name = self.name == other.name || self.name.is_none() || other.name.is_none();
        let is_rejection = self.verdict != LogVerdict::NoRejection;
        is_rejection
            && same_name
            && self.verdict == other.verdict
            && self.insn == other.insn
            && self.message() == other.message()
    }
}

/// The instruction that a reason is about, by its index.
fn find_refused_step(reason: &RejectionReason, steps: &[LogStep]) -> Option<usize> {
    let message = reason.lines.first()?;
    // Of a reference, the message names where it was acquired.
    if reason.class != Some(Class::UnreleasedRef)
        && let Some(pc) = find_named_insn(&message.text)
    {
        return steps.iter().rposition(|step| step.insn.pc == pc);
    }
    if reason.class.is_some_and(is_about_whole_program) {
        return None;
    }
    steps.len().checked_sub(1)
}

/// The verifier finds these before or after its walk: the last instruction has nothing to do with
/// them.
fn is_about_whole_program(class: Class) -> bool {
    matches!(
        class,
        Class::StackLimit
            | Class::TailCallRules
            | Class::ResourceLimits
            | Class::BtfFuncInfo
            | Class::MapNotAllowed
            | Class::AttachBtf
            | Class::ExtensionMismatch
            | Class::StructOps
            | Class::ComplexityInsns
            | Class::JitUnsupported
            | Class::NoExitLastInsn
            | Class::CallDepthRecursion
            | Class::Exceptions
            | Class::MapFdInvalid
            | Class::GlobalFuncReturn
    )
}

/// `infinite loop detected at insn 12`
fn find_named_insn(text: &str) -> Option<u32> {
    let after = text.split(" insn ").nth(1)?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    after[..digits].parse().ok()
}
