//! A rejected program as a diagnostic: a message, a place and notes, as compilers print them.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::explained_program::{ExplainedProgram, LogVerdict};
use crate::explain::explanation::Explanation;
use crate::report::causal_path::summarize_path;
use crate::report::language::{SourceLanguage, guess_language};
use crate::report::missing_log::{describe_missing_log, is_error_missing};
use crate::report::report_context::{ReportContext, SourcePlace};

/// What editors show: the message in the line, the notes below it.
#[derive(Debug)]
pub struct ProgramDiagnostic<'a> {
    pub program: &'a ExplainedProgram,
    /// The decisive line.
    pub message: String,
    pub place: Option<SourcePlace>,
    /// What the log tells about this program.
    pub findings: Vec<DiagnosticNote>,
    /// What holds for the whole class.
    pub advice: Vec<DiagnosticNote>,
}

/// A sentence or more about the message.
#[derive(Debug)]
pub struct DiagnosticNote {
    pub level: NoteLevel,
    pub text: String,
}

/// What a note is for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum NoteLevel {
    /// It tells more.
    Note,
    /// It tells what to do.
    Help,
}

impl NoteLevel {
    pub fn level_name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Help => "help",
        }
    }
}

/// The name of the rule, where no class is known.
pub const UNKNOWN_RULE: &str = "unknown-message";

impl ProgramDiagnostic<'_> {
    /// The class, or else the name for messages without one.
    pub fn rule_name(&self) -> &'static str {
        self.program.class.map_or(UNKNOWN_RULE, Class::slug)
    }

    /// All notes, in the order in which they are read.
    pub fn all_notes(&self) -> impl Iterator<Item = &DiagnosticNote> {
        self.findings.iter().chain(&self.advice)
    }

    /// What is wrong here, in half a sentence.
    pub fn problem_title(&self) -> String {
        let likely = if self.program.is_guess {
            "likely: "
        } else {
            ""
        };
        format!("{likely}{}", self.rule_title())
    }

    /// What is wrong wherever the rule is broken, in half a sentence.
    pub fn rule_title(&self) -> &'static str {
        self.program.class.map_or(
            "a message of the verifier that is not known here",
            Class::title,
        )
    }
}

/// One for each rejected program.
pub fn collect_diagnostics<'a>(
    explanation: &'a Explanation,
    context: &dyn ReportContext,
) -> Vec<ProgramDiagnostic<'a>> {
    let mut diagnostics = Vec::new();
    for (index, program) in explanation.programs.iter().enumerate() {
        if is_rejected(program) {
            diagnostics.push(diagnose_program(index, program, context));
        }
    }
    diagnostics
}

/// Whether the log says that the program was refused, be it only in the kernel's report.
pub fn is_rejected(program: &ExplainedProgram) -> bool {
    program.verdict != LogVerdict::NoRejection || program.diagnosis.is_some()
}

/// The decisive lines of the log, or the title of the kernel's report where these are missing.
pub fn format_headline(program: &ExplainedProgram) -> String {
    if let Some(message) = program.message() {
        return message;
    }
    match &program.diagnosis {
        Some(report) if report.problem.is_empty() => report.category.clone(),
        Some(report) => format!("{}: {}", report.category, report.problem),
        None if is_error_missing(program) => "the log is cut, and its error with it".to_owned(),
        None => "the verifier's log ends without an error".to_owned(),
    }
}

fn diagnose_program<'a>(
    index: usize,
    program: &'a ExplainedProgram,
    context: &dyn ReportContext,
) -> ProgramDiagnostic<'a> {
    let headline = format_headline(program);
    let (message, more) = headline.split_once('\n').unwrap_or((&headline, ""));
    let place = context.find_place(index, program);
    let mut findings = Vec::new();
    push_note(&mut findings, "the log goes on", more);
    add_findings(&mut findings, program);
    ProgramDiagnostic {
        program,
        message: message.to_owned(),
        findings,
        advice: collect_advice(program, place.as_ref()),
        place,
    }
}

/// What the log tells about the program.
fn add_findings(notes: &mut Vec<DiagnosticNote>, program: &ExplainedProgram) {
    push_note(notes, "in", &describe_instruction(program));
    let known = program.finding.known.join("\n");
    push_note(notes, "what the verifier knew", &known);
    // It says what to add.
    let missing = program.finding.missing.as_deref();
    push_help(notes, "what was missing", missing.unwrap_or_default());
    if let Some(report) = &program.diagnosis {
        push_note(notes, "the kernel says", &report.reason);
        push_note(
            notes,
            "how it came about",
            &summarize_path(&report.causal_path).join("\n"),
        );
        push_help(notes, "the kernel suggests", &report.suggestion);
    }
    let cut = describe_missing_log(program);
    let level = if is_error_missing(program) {
        NoteLevel::Help
    } else {
        NoteLevel::Note
    };
    push_text(
        notes,
        level,
        "the log is not whole",
        &cut.unwrap_or_default(),
    );
    if program.is_guess {
        push_note(notes, "the class", GUESS);
    }
}

fn collect_advice(program: &ExplainedProgram, place: Option<&SourcePlace>) -> Vec<DiagnosticNote> {
    let mut notes = Vec::new();
    let Some(class) = program.class else {
        return notes;
    };
    let text = class.text();
    push_note(&mut notes, "the rule", text.rule);
    if let Some(fix) = &program.finding.fix {
        push_help(&mut notes, "fix", fix);
        return notes;
    }
    let language = place.and_then(|place| guess_language(&place.file));
    if language != Some(SourceLanguage::Rust) {
        push_help(&mut notes, "fix in C", text.fix_c);
    }
    if language != Some(SourceLanguage::C) {
        push_help(&mut notes, "fix in Rust", text.fix_rust);
    }
    notes
}

/// `program count, instruction 7: r1 = *(u64 *)(r0 +0)`
fn describe_instruction(program: &ExplainedProgram) -> String {
    let mut parts: Vec<String> = Vec::new();
    if let Some(name) = &program.name {
        parts.push(format!("program {name}"));
    }
    if let Some(insn) = &program.insn {
        let text = format!("instruction {}: {}", insn.pc, insn.text);
        parts.push(text.trim_end_matches([':', ' ']).to_owned());
    }
    parts.join(", ")
}

fn push_note(notes: &mut Vec<DiagnosticNote>, heading: &str, text: &str) {
    push_text(notes, NoteLevel::Note, heading, text);
}

fn push_help(notes: &mut Vec<DiagnosticNote>, heading: &str, text: &str) {
    push_text(notes, NoteLevel::Help, heading, text);
}

fn push_text(notes: &mut Vec<DiagnosticNote>, level: NoteLevel, heading: &str, text: &str) {
    if text.is_empty() {
        return;
    }
    let separator = if text.contains('\n') { "\n" } else { " " };
    notes.push(DiagnosticNote {
        level,
        text: format!("{heading}:{separator}{text}"),
    });
}

/// What to say of a class that the log does not prove.
pub const GUESS: &str = "this class is likely, but not certain: the log ends before it says why";

/// What to say where no program was rejected: a headline, without a newline.
pub fn describe_no_rejection(explanation: &Explanation) -> String {
    let is_cut = explanation.programs.iter().any(is_error_missing);
    let text = match explanation.verdict {
        LogVerdict::NoLog => "no verifier log: nothing in this text looks like one",
        _ if is_cut => "no rejection in this part of the log: the rest of it is missing",
        _ => "no rejection: the verifier's log ends without an error",
    };
    text.to_owned()
}
