//! Workflow commands of GitHub: what is printed so becomes an annotation of the line.

use alloc::format;
use alloc::string::String;

use crate::explain::explanation::Explanation;
use crate::report::diagnostic::{
    NoteLevel, ProgramDiagnostic, collect_diagnostics, describe_no_rejection,
};
use crate::report::report_context::ReportContext;

/// A line for each rejected program. Without one, a notice says so.
pub fn format_github(explanation: &Explanation, context: &dyn ReportContext) -> String {
    let mut text = String::new();
    for diagnostic in &collect_diagnostics(explanation, context) {
        text += &format_annotation(diagnostic);
    }
    if text.is_empty() {
        let message = escape_data(&describe_no_rejection(explanation));
        text = format!("::notice title=eBPF verifier::{message}\n");
    }
    text
}

fn format_annotation(diagnostic: &ProgramDiagnostic<'_>) -> String {
    let mut properties = String::new();
    if let Some(place) = &diagnostic.place {
        let (start, end) = place.columns();
        properties += &format!("file={},line={}", escape_property(&place.file), place.line);
        // The last column is the last that is meant.
        properties += &format!(
            ",col={start},endColumn={}",
            end.saturating_sub(1).max(start)
        );
        properties.push(',');
    }
    let title = format!("{}: {}", diagnostic.rule_name(), diagnostic.problem_title());
    let mut message = diagnostic.message.clone();
    for note in diagnostic.all_notes() {
        // An annotation is short: what is only background is left to the other forms.
        if note.level == NoteLevel::Help {
            message.push('\n');
            message += &note.text;
        }
    }
    format!(
        "::error {properties}title={}::{}\n",
        escape_property(&title),
        escape_data(&message)
    )
}

/// What would end the command is written as `%0A`.
fn escape_data(text: &str) -> String {
    text.replace('%', "%25")
        .replace('\r', "%0D")
        .replace('\n', "%0A")
}

/// A property also ends at a comma or a colon.
fn escape_property(text: &str) -> String {
    escape_data(text).replace(':', "%3A").replace(',', "%2C")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_ends_a_command_early() {
        assert_eq!(escape_data("50 %: a,\r\nb"), "50 %25: a,%0D%0Ab");
        assert_eq!(escape_property("C:\\a,b"), "C%3A\\a%2Cb");
    }
}
