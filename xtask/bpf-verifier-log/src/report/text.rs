//! An explanation for people.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::diagnosis::Diagnosis;
use crate::explain::explained_program::{ExplainedProgram, LogVerdict};
use crate::explain::explanation::Explanation;
use crate::grammar::message_age::MessageAge;
use crate::log::insn::Insn;
use crate::log::step::SourceLine;
use crate::report::causal_path::summarize_path;
use crate::report::diagnostic::{GUESS, describe_no_rejection, format_headline, is_rejected};
use crate::report::missing_log::{describe_missing_log, is_error_missing};
use crate::report::report_context::ReportContext;
use crate::report::wrap::format_section;

/// All rejected programs, or why there are none.
pub fn format_text(explanation: &Explanation, context: &dyn ReportContext) -> String {
    let mut texts = Vec::new();
    for (index, program) in explanation.programs.iter().enumerate() {
        if is_rejected(program) {
            texts.push(format_program(index, program, context));
        }
    }
    let others = explanation.programs.len() - texts.len();
    if texts.is_empty() {
        return format_no_rejection(explanation);
    }
    let mut text = texts.join(SEPARATOR);
    if others > 0 {
        text += &format!("\nlogs without a rejection, in the same text: {others}\n");
    }
    text
}

fn format_program(index: usize, program: &ExplainedProgram, context: &dyn ReportContext) -> String {
    let mut text = format_headline(program) + "\n";
    let facts = format_facts(program);
    if !facts.is_empty() {
        text.push('\n');
        text += &facts;
    }
    text += &context.program_text(index, program).unwrap_or_default();
    text += &format_missing(program);
    text += &format_knowledge(program);
    text += &match (program.class, &program.diagnosis) {
        (Some(class), _) => format_fix(class, program.finding.fix.as_deref(), context),
        (None, Some(_)) => UNKNOWN_REPORT.to_owned(),
        (None, None) if is_error_missing(program) => String::new(),
        (None, None) => UNKNOWN.to_owned(),
    };
    text
}

fn format_missing(program: &ExplainedProgram) -> String {
    match describe_missing_log(program) {
        Some(missing) => format_section("what is missing from the log", &missing),
        None => String::new(),
    }
}

/// What the log says about the place, a line each.
fn format_facts(program: &ExplainedProgram) -> String {
    let class = program.class;
    let message = program.messages.first();
    let facts = [
        (
            "class",
            class.map(|class| format!("{}: {}", class.slug(), class.title())),
        ),
        ("", Some(format!("({GUESS})")).filter(|_| program.is_guess)),
        ("program", program.name.clone()),
        ("instruction", find_insn(program)),
        ("source", find_source(program)),
        (
            "in the log",
            message.map(|message| format!("line {}", message.line)),
        ),
        ("kernels", program.age.and_then(describe_change)),
    ];
    let mut text = String::new();
    for (name, fact) in facts {
        if let Some(fact) = fact {
            text += &format!("{name:<13} {fact}\n");
        }
    }
    text
}

/// How a place of the kernel's report begins where it knows no line of source.
const INSN_PLACE: &str = "insn ";

/// As the log shows it, or else its number in the kernel's report.
fn find_insn(program: &ExplainedProgram) -> Option<String> {
    if let Some(insn) = &program.insn {
        return Some(format_insn(insn));
    }
    let place = &program.diagnosis.as_ref()?.place;
    place.strip_prefix(INSN_PLACE).map(str::to_owned)
}

/// `1: r0 = *(u64 *)(r7 +64)`; only the number, where no line of the log shows the instruction.
fn format_insn(insn: &Insn) -> String {
    match insn.text.as_str() {
        "" => insn.pc.to_string(),
        text => format!("{}: {text}", insn.pc),
    }
}

/// As the log shows it, or else as the kernel's report names it.
fn find_source(program: &ExplainedProgram) -> Option<String> {
    if let Some(source) = &program.source {
        return format_source(source);
    }
    let place = &program.diagnosis.as_ref()?.place;
    let is_source = !place.is_empty() && !place.starts_with(INSN_PLACE);
    is_source.then(|| place.clone())
}

fn format_source(source: &SourceLine) -> Option<String> {
    let text = match (&source.file, source.line) {
        (Some(file), Some(line)) => format!("{}   {file}:{line}", source.text),
        _ => source.text.clone(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Which kernels have the message, where not all of those that are known have it.
fn describe_change(age: MessageAge) -> Option<String> {
    let changes = age.since.is_some() || age.until.is_some();
    changes.then(|| age.describe_age())
}

fn format_knowledge(program: &ExplainedProgram) -> String {
    let mut text = String::new();
    let finding = &program.finding;
    if !finding.known.is_empty() {
        text += &format_section("what the verifier knew", &finding.known.join("\n"));
    }
    if let Some(missing) = &finding.missing {
        text += &format_section("what was missing", missing);
    }
    if let Some(report) = &program.diagnosis {
        text += &format_kernel_report(report);
    }
    text
}

/// What Linux 7.3 and later say themselves.
fn format_kernel_report(report: &Diagnosis) -> String {
    let mut text = String::new();
    let words = [report.reason.as_str(), report.suggestion.as_str()].join("\n");
    if !words.trim().is_empty() {
        text += &format_section("what the kernel itself says", words.trim());
    }
    let events = summarize_path(&report.causal_path);
    if !events.is_empty() {
        text += &format_section("how it came about, says the kernel", &events.join("\n"));
    }
    text
}

/// The rule, and what to do about it.
pub fn format_advice(class: Class, context: &dyn ReportContext) -> String {
    format_fix(class, None, context)
}

/// `fix`: what to do here, where the advice of the class does not fit.
fn format_fix(class: Class, fix: Option<&str>, context: &dyn ReportContext) -> String {
    let about = class.text();
    let mut text = format_section("the rule", about.rule);
    match fix {
        Some(fix) => text += &format_section("fix", fix),
        None => {
            text += &format_section("fix in C", about.fix_c);
            text += &format_section("fix in Rust", about.fix_rust);
        }
    }
    text + &context.class_text(class).unwrap_or_default()
}

fn format_no_rejection(explanation: &Explanation) -> String {
    let headline = describe_no_rejection(explanation);
    if explanation.verdict == LogVerdict::NoLog {
        return headline + "\n" + NO_LOG;
    }
    let mut text = headline + "\n\n";
    for program in &explanation.programs {
        let name = program.name.as_deref().unwrap_or("a program");
        let count = match program.processed {
            Some(count) => format!("{count} instructions processed"),
            None => "its end is missing".to_owned(),
        };
        text += &format!("  {name}: {count}\n");
    }
    match explanation
        .programs
        .iter()
        .find(|program| is_error_missing(program))
    {
        Some(cut) => text + &format_missing(cut),
        None => text + NO_REJECTION,
    }
}

const SEPARATOR: &str =
    "\n--------------------------------------------------------------------------------\n\n";

const UNKNOWN: &str = "
this message is not known here, so there is no explanation that would surely be right
  It is the line that the log ends with. Its words in the kernel's source (kernel/bpf/verifier.c)
  say more.
";

const UNKNOWN_REPORT: &str = "
this message is not known here: what the kernel itself says is all that is sure
  Its words in the kernel's source (kernel/bpf) say more.
";

const NO_REJECTION: &str = "
If loading failed all the same, the log may be cut before its error, or the reason is not the
verifier's: see what the loader says about the system call's error.
";

const NO_LOG: &str = "
A log has lines like these; loaders print it when a program is rejected:
  12: (69) r1 = *(u16 *)(r1 +12)
  R1 invalid mem access 'scalar'
  processed 13 insns (limit 1000000) ...
With libbpf, set a print function; with aya, print the whole error: `{:?}` of an anyhow error, or
`LoadError`'s `verifier_log`; with cilium/ebpf, `%+v` of the VerifierError.
";
