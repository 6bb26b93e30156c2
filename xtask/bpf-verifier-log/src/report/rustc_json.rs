//! Diagnostics as `rustc --error-format=json` prints them: one JSON object per line.
//!
//! Editors that understand rustc or cargo underline the line. A span has no bytes of the file, only
//! lines and columns: the log does not tell more.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::classes::Class;
use crate::explain::explanation::Explanation;
use crate::report::diagnostic::{
    DiagnosticNote, ProgramDiagnostic, collect_diagnostics, describe_no_rejection,
};
use crate::report::report_context::{ReportContext, SourcePlace};

#[derive(Serialize)]
struct RustcDiagnostic {
    #[serde(rename = "$message_type")]
    message_type: &'static str,
    message: String,
    code: Option<RustcCode>,
    level: &'static str,
    spans: Vec<RustcSpan>,
    children: Vec<RustcDiagnostic>,
    rendered: Option<String>,
}

#[derive(Serialize)]
struct RustcCode {
    code: &'static str,
    explanation: Option<&'static str>,
}

#[derive(Serialize)]
struct RustcSpan {
    file_name: String,
    byte_start: u32,
    byte_end: u32,
    line_start: u32,
    line_end: u32,
    column_start: u32,
    column_end: u32,
    is_primary: bool,
    text: Vec<RustcSpanLine>,
    label: Option<String>,
    suggested_replacement: Option<String>,
    suggestion_applicability: Option<String>,
    expansion: Option<String>,
}

#[derive(Serialize)]
struct RustcSpanLine {
    text: String,
    highlight_start: u32,
    highlight_end: u32,
}

/// A line for each rejected program. Without one, a single note says so.
pub fn format_rustc_json(explanation: &Explanation, context: &dyn ReportContext) -> String {
    let mut lines = Vec::new();
    for diagnostic in &collect_diagnostics(explanation, context) {
        lines.push(as_rustc(diagnostic));
    }
    if lines.is_empty() {
        lines.push(note_without_place(&describe_no_rejection(explanation)));
    }
    let mut text = String::new();
    for line in &lines {
        // There are no maps of odd keys in it, so that JSON can hold all of it.
        text += &serde_json::to_string(line).unwrap_or_default();
        text.push('\n');
    }
    text
}

fn as_rustc(diagnostic: &ProgramDiagnostic<'_>) -> RustcDiagnostic {
    let code = RustcCode {
        code: diagnostic.rule_name(),
        explanation: diagnostic
            .program
            .class
            .map(|class: Class| class.text().rule),
    };
    let place = diagnostic.place.as_ref();
    RustcDiagnostic {
        message_type: "diagnostic",
        message: diagnostic.message.clone(),
        code: Some(code),
        level: "error",
        spans: place
            .map(|place| as_span(place, diagnostic.problem_title()))
            .into_iter()
            .collect(),
        children: diagnostic.all_notes().map(as_child).collect(),
        rendered: Some(render_diagnostic(diagnostic)),
    }
}

fn as_span(place: &SourcePlace, label: String) -> RustcSpan {
    let (column_start, column_end) = place.columns();
    let line = RustcSpanLine {
        text: place.text.clone(),
        highlight_start: column_start,
        highlight_end: column_end,
    };
    RustcSpan {
        file_name: place.file.clone(),
        byte_start: 0,
        byte_end: 0,
        line_start: place.line,
        line_end: place.line,
        column_start,
        column_end,
        is_primary: true,
        text: Vec::from([line]),
        label: Some(label),
        suggested_replacement: None,
        suggestion_applicability: None,
        expansion: None,
    }
}

fn as_child(note: &DiagnosticNote) -> RustcDiagnostic {
    RustcDiagnostic {
        message_type: "diagnostic",
        message: note.text.clone(),
        code: None,
        level: note.level.level_name(),
        spans: Vec::new(),
        children: Vec::new(),
        rendered: None,
    }
}

fn note_without_place(message: &str) -> RustcDiagnostic {
    RustcDiagnostic {
        message_type: "diagnostic",
        message: message.to_string(),
        code: None,
        level: "note",
        spans: Vec::new(),
        children: Vec::new(),
        rendered: Some(format!("note: {message}\n\n")),
    }
}

/// As rustc shows it on a terminal, without colours.
fn render_diagnostic(diagnostic: &ProgramDiagnostic<'_>) -> String {
    let mut text = format!(
        "error[{}]: {}\n",
        diagnostic.rule_name(),
        diagnostic.message
    );
    let mut margin = String::from(" ");
    if let Some(place) = &diagnostic.place {
        margin = " ".repeat(place.line.to_string().len());
        text += &render_place(place, &margin, &diagnostic.problem_title());
    }
    for note in diagnostic.all_notes() {
        text += &render_note(note, &margin);
    }
    text.push('\n');
    text
}

/// ```text
///   --> prog.c:12:5
///    |
/// 12 |     return *value;
///    |     ^^^^^^^^^^^^^^ a pointer that may be NULL is used without a check
/// ```
fn render_place(place: &SourcePlace, margin: &str, label: &str) -> String {
    let (start, end) = place.columns();
    let mut text = format!("{margin}--> {}:{}:{start}\n", place.file, place.line);
    text += &format!("{margin} |\n");
    if !place.text.is_empty() {
        let code = place.text.replace('\t', " ");
        // A column that the line does not have is one after its end.
        let indent = code.chars().count().min(start as usize - 1);
        let indent = " ".repeat(indent);
        let marks = "^".repeat((end - start).max(1) as usize);
        text += &format!("{} | {}\n", place.line, code.trim_end());
        text += &format!("{margin} | {indent}{marks} {label}\n");
        text += &format!("{margin} |\n");
    }
    text
}

fn render_note(note: &DiagnosticNote, margin: &str) -> String {
    let level = note.level.level_name();
    let next_line = format!("\n{margin}{:1$}", "", level.len() + 5);
    let body = note.text.replace('\n', &next_line);
    format!("{margin} = {level}: {body}\n")
}
