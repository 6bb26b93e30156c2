//! The answer: what was found in a text, program by program.

use crate::class::{self, Class};
use crate::decide::{self, Message, Reason};
use crate::diagnosis::Diagnosis;
use crate::finding::{Finding, finding};
use crate::insn::Insn;
use crate::outside;
use crate::scan::{Log, scan};
use crate::steps::{Source, Step, steps};
use crate::trace::{self, Trace};

/// What a text says about the programs in it.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Report {
    pub verdict: Verdict,
    /// The rejected programs first, then the others, in the order of the text.
    pub programs: Vec<Program>,
}

/// In a word.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "kebab-case")
)]
pub enum Verdict {
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
pub struct Program {
    pub verdict: Verdict,
    pub name: Option<String>,
    pub class: Option<&'static Class>,
    /// The decisive line first.
    pub messages: Vec<Message>,
    /// The instruction that was refused.
    pub insn: Option<Insn>,
    pub source: Option<Source>,
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
    log: Option<Log>,
}

/// The way of the verifier through a program.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Walk {
    pub steps: Vec<Step>,
    /// Index of the step at which the program was refused.
    pub decisive: Option<usize>,
}

/// So much of a log's end is read again to see where values come from.
const WINDOW: usize = 512 * 1024;

/// Explains a text of any kind and size.
pub fn explain(input: &[u8]) -> Report {
    let scan = scan(input);
    let mut programs: Vec<Program> = Vec::new();
    for log in scan.logs {
        let program = Program::of_log(input, log);
        if !programs
            .iter()
            .any(|earlier| earlier.says_the_same_as(&program))
        {
            programs.push(program);
        }
    }
    if !programs
        .iter()
        .any(|program| program.verdict == Verdict::Explained)
    {
        outside::complete(&mut programs, &scan.outside, input);
    }
    programs.sort_by_key(|program| program.verdict);
    let verdict = programs
        .first()
        .map_or(Verdict::NoLog, |program| program.verdict);
    Report { verdict, programs }
}

impl Program {
    pub(crate) fn of_log(input: &[u8], log: Log) -> Self {
        let reason = decide::reason(&log);
        let diagnosis = Diagnosis::read(&log.report);
        let class = reason
            .as_ref()
            .and_then(|reason| reason.class)
            .or(diagnosis.as_ref().and_then(Diagnosis::class));
        let reason = reason.map(|reason| Reason { class, ..reason });
        let mut program = Self {
            verdict: verdict(reason.as_ref(), class),
            class: class.and_then(class::find),
            messages: reason
                .as_ref()
                .map_or(Vec::new(), |reason| reason.lines.clone()),
            register: reason.as_ref().and_then(|reason| reason.register),
            diagnosis,
            ..Self::empty(log)
        };
        if let Some(reason) = reason {
            program.look(input, &reason);
        }
        program
    }

    fn empty(log: Log) -> Self {
        Self {
            verdict: Verdict::NoRejection,
            name: log.name.clone(),
            class: None,
            messages: Vec::new(),
            insn: None,
            source: None,
            register: None,
            finding: Finding::default(),
            diagnosis: None,
            processed: log.processed,
            errno: log.outcome,
            truncated: log.truncated,
            log: Some(log),
        }
    }

    /// An error that is not the verifier's.
    pub(crate) fn of_message(class: &'static str, message: Message) -> Self {
        Self {
            verdict: Verdict::Explained,
            class: class::find(class),
            messages: vec![message],
            log: None,
            ..Self::empty(Log::default())
        }
    }

    /// Reads the end of the log again, for the instruction and what was known there.
    fn look(&mut self, input: &[u8], reason: &Reason) {
        let Some(log) = &self.log else { return };
        let steps = steps(input, log, WINDOW);
        let at = place(reason, &steps);
        self.insn = at.map(|at| steps[at].insn.clone());
        self.source = at.and_then(|at| steps[at].source.clone());
        self.finding = finding(reason, &steps, at);
    }

    /// All steps of the program's log, for those who want to go through it.
    pub fn walk(&self, input: &[u8]) -> Walk {
        let steps = self
            .log
            .as_ref()
            .map_or(Vec::new(), |log| steps(input, log, usize::MAX));
        let decisive = steps
            .iter()
            .rposition(|step| Some(&step.insn) == self.insn.as_ref());
        Walk { steps, decisive }
    }

    /// The last steps of the program's log with what was known at each, at most
    /// [`trace::MOST_STEPS`].
    pub fn trace(&self, input: &[u8]) -> Trace {
        let Some(log) = &self.log else {
            return Trace::default();
        };
        let steps = steps(input, log, WINDOW);
        let decisive = steps
            .iter()
            .rposition(|step| Some(&step.insn) == self.insn.as_ref());
        let total = usize::try_from(log.insns).unwrap_or(usize::MAX);
        trace::trace(&steps, decisive, self.register, total)
    }

    /// The decisive lines as one text, if the log has any.
    pub fn message(&self) -> Option<String> {
        let lines: Vec<&str> = self
            .messages
            .iter()
            .map(|message| message.text.as_str())
            .collect();
        Some(lines.join("\n")).filter(|text| !text.is_empty())
    }

    /// A loader may print a log twice.
    fn says_the_same_as(&self, other: &Self) -> bool {
        let same_name = self.name == other.name || self.name.is_none() || other.name.is_none();
        let is_rejection = self.verdict != Verdict::NoRejection;
        is_rejection
            && same_name
            && self.verdict == other.verdict
            && self.insn == other.insn
            && self.message() == other.message()
    }

    pub(crate) fn log(&self) -> Option<&Log> {
        self.log.as_ref()
    }
}

fn verdict(reason: Option<&Reason>, class: Option<&'static str>) -> Verdict {
    match (reason, class) {
        (_, Some(_)) => Verdict::Explained,
        (Some(_), None) => Verdict::Unknown,
        (None, None) => Verdict::NoRejection,
    }
}

/// Classes that the verifier finds before or after its walk: the last instruction has nothing to do
/// with them.
const NOT_AT_AN_INSN: [&str; 15] = [
    "stack-limit",
    "tail-call-rules",
    "resource-limits",
    "btf-func-info",
    "map-not-allowed",
    "attach-btf",
    "extension-mismatch",
    "struct-ops",
    "complexity-insns",
    "jit-unsupported",
    "no-exit-last-insn",
    "call-depth-recursion",
    "exceptions",
    "map-fd-invalid",
    "global-func-return",
];

/// The instruction that a reason is about.
fn place(reason: &Reason, steps: &[Step]) -> Option<usize> {
    let text = reason
        .lines
        .first()
        .map(|line| line.text.as_str())
        .unwrap_or_default();
    let class = reason.class.unwrap_or_default();
    if let Some(pc) = named_insn(text).filter(|_| class != "unreleased-ref") {
        return steps.iter().rposition(|step| step.insn.pc == pc);
    }
    let is_here = !NOT_AT_AN_INSN.contains(&class);
    steps.len().checked_sub(1).filter(|_| is_here)
}

/// `infinite loop detected at insn 12`
fn named_insn(text: &str) -> Option<u32> {
    let after = text.split(" insn ").nth(1)?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    after[..digits].parse().ok()
}
