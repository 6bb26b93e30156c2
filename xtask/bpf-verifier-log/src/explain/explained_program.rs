//! What was found about one program.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_reason::{RejectionReason, decide_reason};
use crate::explain::decide_report_class::decide_class_of_report;
use crate::explain::derive_finding::{derive_finding, refine_class};
use crate::explain::diagnosis::{Diagnosis, TITLE};
use crate::explain::finding::Finding;
use crate::explain::lockdown::{
    MAY_BE_LOCKED, TypeSigns, is_locked_down, may_be_taken_by_lockdown,
};
use crate::explain::scene::may_be_refused;
use crate::explain::trace::{LogTrace, build_trace};
use crate::grammar::message_age::MessageAge;
use crate::input::encoding::decode_text;
use crate::input::heading::{LoaderHeading, find_any_errno, find_name};
use crate::input::lines::LinePlace;
use crate::input::loader::{Loader, find_loader};
use crate::input::missing_part::MissingPart;
use crate::input::program_log::ProgramLog;
use crate::input::read_steps::{read_steps, read_steps_between};
use crate::log::insn::Insn;
use crate::log::message::LogMessage;
use crate::log::step::{LogStep, SourceLine};

/// In a word: what a text says about a program, the most telling first.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
#[cfg_attr(
    feature = "serde",
    derive(serde::Serialize),
    serde(rename_all = "kebab-case")
)]
#[non_exhaustive]
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
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct ExplainedProgram {
    /// In a word; never [`LogVerdict::NoLog`].
    pub verdict: LogVerdict,
    /// The program's name, where the loader or the kernel prints it.
    pub name: Option<String>,
    /// The class of the error; `None` unless the verdict is [`LogVerdict::Explained`].
    pub class: Option<Class>,
    /// The lines that say why, the decisive one first; empty without a rejection.
    pub messages: Vec<LogMessage>,
    /// Which kernels print the decisive line.
    pub age: Option<MessageAge>,
    /// The instruction that was refused.
    pub insn: Option<Insn>,
    /// The line of the source that this instruction comes from.
    pub source: Option<SourceLine>,
    /// The register that the message names.
    pub register: Option<u8>,
    /// What the verifier knew there, and what was missing.
    pub finding: Finding,
    /// The report that Linux 7.3 adds.
    pub diagnosis: Option<Diagnosis>,
    /// How many instructions the verifier went through, as it says itself.
    pub processed: Option<u64>,
    /// The error number of the system call, where the loader says it: 13 for `EACCES`.
    pub errno: Option<i32>,
    /// A part of the log is missing.
    pub truncated: bool,
    /// Which part that is.
    pub missing_part: Option<MissingPart>,
    /// The loader says that the kernel's buffer was too small for the log.
    pub buffer_too_small: bool,
    /// The class is only the likeliest: the log ends before it says why.
    pub is_guess: bool,
    /// What printed the log, as far as its words tell.
    pub loader: Option<Loader>,
    #[cfg_attr(feature = "serde", serde(skip))]
    place: Option<LogPlace>,
    /// How many instructions the lines of the log show.
    #[cfg_attr(feature = "serde", serde(skip))]
    shown_insns: u64,
    /// It is the last line of a log without an error.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) ends_with_insn: bool,
    /// A loader says that it was not loaded.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) fails_load: bool,
}

/// Where a log is in its text.
#[derive(Clone, Copy, Debug)]
struct LogPlace {
    begin: LinePlace,
    /// The first line that the explanation was made from.
    explained: LinePlace,
    /// Offset after the last line that says what the verifier did.
    end: u64,
}

/// All steps of a program's log.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct LogSteps {
    /// In the order of the log, with all paths that the verifier followed.
    pub steps: Vec<LogStep>,
    /// Index of the step at which the program was refused.
    pub decisive: Option<usize>,
}

impl ExplainedProgram {
    pub(crate) fn of_log(log: &ProgramLog) -> Self {
        if let Some(btf) = &log.btf {
            return Self::without_rejection(log).about_types(btf.decisive_lines());
        }
        let mut program = Self::without_rejection(log);
        if log.has_report() {
            program.diagnosis = Diagnosis::read_diagnosis(&log.report);
        }
        let reason = decide_reason(log);
        program.missing_part = log.find_missing_part(reason.is_some());
        program.truncated = program.missing_part.is_some();
        program.class = program.choose_class(reason.as_ref());
        if let Some(reason) = reason {
            program.reject(log, reason);
            program.tell_failed_relocation(log.fails_relocation);
        }
        program
    }

    /// Loaders go on after a CO-RE relocation that failed. cilium/ebpf makes a load of 64 bits one
    /// into R10 then, which no program may change.
    fn tell_failed_relocation(&mut self, is_told: bool) {
        let is_marked = |insn: &Insn| insn.text.contains("0xbad2310");
        let is_replaced = self.insn.as_ref().is_some_and(is_marked);
        if !is_told && !is_replaced {
            return;
        }
        let message = self.messages.first();
        if message.is_some_and(|message| message.text.contains("frame pointer is read only")) {
            self.class = Some(Class::CoreRelo);
            self.finding = Finding::default();
        } else if matches!(
            self.class,
            Some(Class::UninitStack | Class::StackBounds | Class::UninitReg)
        ) {
            self.finding.known.push(FAILED_RELOCATION.to_owned());
        }
    }

    /// The kernel refuses the object's types, and names the one that is wrong.
    fn about_types(mut self, lines: Vec<LogMessage>) -> Self {
        // The types are the object's, not those of the program that is named next.
        self.name = None;
        if lines.is_empty() && self.errno.is_some() {
            // It was refused, and the line that says why is missing.
            self.missing_part = Some(MissingPart::End);
            self.truncated = true;
        }
        if !lines.is_empty() || self.truncated {
            self.verdict = LogVerdict::Explained;
            self.class = Some(Class::BtfRejected);
            self.messages = lines;
        }
        self
    }

    /// An error that is not the verifier's. `line`: all that is in its line.
    pub(crate) fn of_message(class: Class, message: LogMessage, line: &str) -> Self {
        let is_cut = class == Class::LogTruncated;
        Self {
            verdict: LogVerdict::Explained,
            class: Some(class),
            name: find_name(line).map(ToOwned::to_owned),
            errno: find_any_errno(line),
            loader: find_loader(line),
            messages: vec![message],
            truncated: is_cut,
            buffer_too_small: is_cut,
            ..Self::without_rejection(&ProgramLog::default())
        }
    }

    /// A program that could not be loaded for its size, and of which the text has no log. Other
    /// errors have causes without number.
    pub(crate) fn of_heading(heading: LoaderHeading) -> Option<Self> {
        const E2BIG: i32 = 7;
        if heading.name.is_none() || heading.errno != Some(E2BIG) {
            return None;
        }
        Some(Self {
            verdict: LogVerdict::Unknown,
            missing_part: Some(MissingPart::End),
            truncated: true,
            ..Self::without_rejection(&ProgramLog::new(heading))
        })
    }

    fn without_rejection(log: &ProgramLog) -> Self {
        Self {
            verdict: LogVerdict::NoRejection,
            name: log.name.clone(),
            class: None,
            messages: Vec::new(),
            age: None,
            insn: None,
            source: None,
            register: None,
            finding: Finding::default(),
            diagnosis: None,
            processed: log.processed,
            errno: log.errno,
            truncated: false,
            missing_part: None,
            buffer_too_small: log.truncated,
            is_guess: false,
            loader: log.loader,
            place: LogPlace::of_log(log),
            shown_insns: log.insns,
            ends_with_insn: log.is_one_line && log.insns > 0,
            fails_load: log.fails_load || log.errno.is_some(),
        }
    }

    /// The classic line decides; the report of Linux 7.3 where that line is missing or not known.
    fn choose_class(&self, reason: Option<&RejectionReason>) -> Option<Class> {
        let class = reason.and_then(|reason| reason.class);
        class.or_else(|| decide_class_of_report(self.diagnosis.as_ref()?))
    }

    /// The text around a refused helper may tell that it is the kernel that is locked down.
    pub(crate) fn tell_lockdown(&mut self, signs: TypeSigns) {
        if self.class != Some(Class::HelperNotAllowed) {
            return;
        }
        let Some(refusal) = self.find_refusal() else {
            return;
        };
        if is_locked_down(refusal, self.name.as_deref(), signs) {
            self.class = Some(Class::Lockdown);
        } else if may_be_taken_by_lockdown(refusal) {
            self.finding.known.push(MAY_BE_LOCKED.to_owned());
        }
    }

    /// What says which helper was refused: the classic line, or the report where that is missing.
    fn find_refusal(&self) -> Option<&str> {
        let line = self.messages.first()?;
        match &self.diagnosis {
            Some(report) if line.text.starts_with(TITLE) => Some(&report.reason),
            _ => Some(&line.text),
        }
    }

    /// Reads the end of the log again, for the instruction and what was known there.
    fn reject(&mut self, log: &ProgramLog, reason: RejectionReason) {
        self.verdict = match self.class {
            Some(_) => LogVerdict::Explained,
            None => LogVerdict::Unknown,
        };
        let mut reason = RejectionReason {
            class: self.class,
            ..reason
        };
        let steps = read_steps(&log.steps);
        // What is wrong with a function is said before its first step.
        let at = match log.is_at_function_start() {
            true => None,
            false => find_refused_step(&reason, &steps),
        };
        if let Some(at) = at {
            self.insn = Some(steps[at].insn.clone());
            self.source = steps[at].source.clone();
            reason.class = refine_class(&reason, &steps, at);
            self.class = reason.class;
        } else if reason.class != Some(Class::UnreleasedRef) {
            let named = reason
                .lines
                .first()
                .and_then(|line| find_named_insn(&line.text));
            self.insn = named.map(Insn::not_shown);
        }
        if steps.is_empty()
            && let Some(report) = &self.diagnosis
        {
            self.insn = report.find_insn().or(self.insn.take());
            self.source = report.find_source();
        }
        self.finding = derive_finding(&reason, &steps, at);
        self.register = reason.register;
        self.age = reason.age;
        self.messages = reason.lines;
    }

    /// The lowest goes first. Loaders go on without types that the kernel refuses, where they can.
    pub(crate) fn find_rank(&self) -> (LogVerdict, bool) {
        (self.verdict, self.class == Some(Class::BtfRejected))
    }

    /// All steps of the program's log. `input`: the text that it was found in.
    pub fn read_steps(&self, input: &[u8]) -> LogSteps {
        self.steps_from(input, |place| place.begin)
    }

    /// The last steps of the program's log with what was known at each, at most
    /// [`MOST_STEPS`](crate::MOST_STEPS). `input`: the text that it was found in.
    pub fn trace(&self, input: &[u8]) -> LogTrace {
        let LogSteps { steps, decisive } = self.steps_from(input, |place| place.explained);
        let total = usize::try_from(self.shown_insns).unwrap_or(usize::MAX);
        build_trace(&steps, decisive, self.register, total)
    }

    fn steps_from(&self, input: &[u8], begin: fn(&LogPlace) -> LinePlace) -> LogSteps {
        let Some(place) = &self.place else {
            return LogSteps::default();
        };
        let steps = read_steps_between(&decode_text(input), &begin(place), place.end);
        let decisive = steps
            .iter()
            .rposition(|step| Some(&step.insn) == self.insn.as_ref());
        LogSteps { steps, decisive }
    }

    /// Something else failed to be verified: nothing in the text is the verifier's.
    pub(crate) fn is_about_others(&self) -> bool {
        self.verdict == LogVerdict::NoRejection
            && self.diagnosis.is_some()
            && self.processed.is_none()
            && self.shown_insns() == 0
    }

    /// How many instructions the lines of the log show.
    pub(crate) fn shown_insns(&self) -> u64 {
        self.shown_insns
    }

    /// The decisive lines as one text, if the log has any.
    pub fn message(&self) -> Option<String> {
        let mut lines = Vec::new();
        for message in &self.messages {
            lines.push(message.text.as_str());
        }
        Some(lines.join("\n")).filter(|text| !text.is_empty())
    }

    /// Whether two rejections are one: a loader may print a log twice.
    pub(crate) fn says_the_same_as(&self, other: &Self) -> bool {
        let same_name = self.name == other.name || self.name.is_none() || other.name.is_none();
        let texts = self.messages.iter().map(|message| &message.text);
        same_name
            && self.verdict == other.verdict
            && (self.insn == other.insn || self.is_only_quoted() || other.is_only_quoted())
            && texts.eq(other.messages.iter().map(|message| &message.text))
    }

    /// Only its message is there: some loaders print that alone.
    pub(crate) fn is_only_quoted(&self) -> bool {
        self.shown_insns == 0
    }

    /// Equal for programs that say the same, whatever their names are (FNV-1a).
    pub(crate) fn hash_content(&self) -> u64 {
        let mut hash = 0xcbf2_9ce4_8422_2325;
        for message in &self.messages {
            for byte in message.text.bytes().chain([b'\n']) {
                hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        hash
    }
}

impl LogPlace {
    fn of_log(log: &ProgramLog) -> Option<Self> {
        let explained = log.steps.first_place()?;
        Some(Self {
            begin: log.begin.unwrap_or(explained),
            explained,
            end: log.steps.last_end(),
        })
    }
}

const FAILED_RELOCATION: &str = "The loader says that a CO-RE relocation of this \
     program failed: this kernel does not have a type or a field \
     that it reads. The code that would have read it may be missing here.";

/// The instruction that a reason is about, by its index.
fn find_refused_step(reason: &RejectionReason, steps: &[LogStep]) -> Option<usize> {
    let message = reason.lines.first()?;
    // Of a reference, the message names where it was acquired.
    if reason.class != Some(Class::UnreleasedRef)
        && let Some(pc) = find_named_insn(&message.text)
    {
        return steps.iter().rposition(|step| step.insn.pc == pc);
    }
    if reason.before_insns || reason.class.is_some_and(is_about_whole_program) {
        return None;
    }
    let last = steps.len().checked_sub(1)?;
    // What holds after an instruction is printed when the verifier comes to the next one.
    let is_passed = steps[last].is_passed || steps[last].after.is_some();
    let may_be = !is_passed && may_be_refused(&steps[last].insn, reason);
    may_be.then_some(last)
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
    )
}

/// `infinite loop detected at insn 12`
fn find_named_insn(text: &str) -> Option<u32> {
    let after = text.split(" insn ").nth(1)?;
    let digits = after.bytes().take_while(u8::is_ascii_digit).count();
    after[..digits].parse().ok()
}
