//! SARIF 2.1.0: what code scanning and many editors read.
//!
//! A class of errors is a rule, a rejected program a result. Without a rejection there is no
//! result; whether there was a log at all, the run's `invocations` say.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::Serialize;

use crate::explain::explained_program::LogVerdict;
use crate::explain::explanation::Explanation;
use crate::report::diagnostic::{ProgramDiagnostic, collect_diagnostics, describe_no_rejection};
use crate::report::json::format_pretty;
use crate::report::report_context::{ReportContext, SourcePlace};

const SCHEMA: &str =
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json";

#[derive(Serialize)]
struct SarifLog {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: Vec<SarifRun>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRun {
    tool: SarifTool,
    invocations: Vec<SarifInvocation>,
    column_kind: &'static str,
    results: Vec<SarifResult>,
}

#[derive(Serialize)]
struct SarifTool {
    driver: SarifDriver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifDriver {
    name: &'static str,
    version: &'static str,
    semantic_version: &'static str,
    rules: Vec<SarifRule>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRule {
    id: &'static str,
    short_description: SarifText,
    full_description: SarifText,
    help: SarifText,
}

#[derive(Serialize)]
struct SarifText {
    text: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifInvocation {
    execution_successful: bool,
    tool_execution_notifications: Vec<SarifNotification>,
}

#[derive(Serialize)]
struct SarifNotification {
    level: &'static str,
    message: SarifText,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifResult {
    rule_id: &'static str,
    rule_index: usize,
    level: &'static str,
    message: SarifText,
    locations: Vec<SarifLocation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifLocation {
    #[serde(skip_serializing_if = "Option::is_none")]
    physical_location: Option<SarifPhysicalLocation>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    logical_locations: Vec<SarifLogicalLocation>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifPhysicalLocation {
    artifact_location: SarifArtifact,
    region: SarifRegion,
}

#[derive(Serialize)]
struct SarifArtifact {
    uri: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifRegion {
    start_line: u32,
    start_column: u32,
    end_column: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    snippet: Option<SarifText>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SarifLogicalLocation {
    name: String,
    fully_qualified_name: String,
    kind: &'static str,
}

/// A whole log file with one run.
pub fn format_sarif(explanation: &Explanation, context: &dyn ReportContext) -> String {
    let diagnostics = collect_diagnostics(explanation, context);
    let rules = collect_rules(&diagnostics);
    let mut results = Vec::new();
    for diagnostic in &diagnostics {
        results.push(as_result(diagnostic, &rules));
    }
    let driver = SarifDriver {
        name: "bpf-explain",
        version: env!("CARGO_PKG_VERSION"),
        semantic_version: env!("CARGO_PKG_VERSION"),
        rules,
    };
    format_pretty(&SarifLog {
        schema: SCHEMA,
        version: "2.1.0",
        runs: Vec::from([SarifRun {
            tool: SarifTool { driver },
            invocations: Vec::from([as_invocation(explanation, results.is_empty())]),
            column_kind: "unicodeCodePoints",
            results,
        }]),
    })
}

/// Those that are used, each once.
fn collect_rules(diagnostics: &[ProgramDiagnostic<'_>]) -> Vec<SarifRule> {
    let mut rules: Vec<SarifRule> = Vec::new();
    for diagnostic in diagnostics {
        if !rules.iter().any(|rule| rule.id == diagnostic.rule_name()) {
            rules.push(as_rule(diagnostic));
        }
    }
    rules
}

fn as_rule(diagnostic: &ProgramDiagnostic<'_>) -> SarifRule {
    let (full, help) = match diagnostic.program.class {
        Some(class) => {
            let text = class.text();
            let fixes = format!("In C: {}\n\nIn Rust: {}", text.fix_c, text.fix_rust);
            (text.rule.to_string(), fixes)
        }
        None => (UNKNOWN_DESCRIPTION.to_string(), UNKNOWN_HELP.to_string()),
    };
    SarifRule {
        id: diagnostic.rule_name(),
        short_description: as_text(diagnostic.rule_title()),
        full_description: as_text(&full),
        help: as_text(&help),
    }
}

const UNKNOWN_DESCRIPTION: &str =
    "The verifier rejects the program with a message that this version has no class for.";
const UNKNOWN_HELP: &str =
    "The words of the message in the kernel's source (kernel/bpf/verifier.c) say more.";

/// Whether there was a log to read.
fn as_invocation(explanation: &Explanation, is_empty: bool) -> SarifInvocation {
    let has_log = explanation.verdict != LogVerdict::NoLog;
    let mut notifications = Vec::new();
    if is_empty {
        notifications.push(SarifNotification {
            level: if has_log { "note" } else { "error" },
            message: as_text(&describe_no_rejection(explanation)),
        });
    }
    SarifInvocation {
        execution_successful: has_log,
        tool_execution_notifications: notifications,
    }
}

fn as_result(diagnostic: &ProgramDiagnostic<'_>, rules: &[SarifRule]) -> SarifResult {
    let rule_id = diagnostic.rule_name();
    let index = rules.iter().position(|rule| rule.id == rule_id);
    let mut message = diagnostic.message.clone();
    for note in &diagnostic.findings {
        message.push('\n');
        message += &note.text;
    }
    // The advice is the rule's, where that fits.
    if let Some(fix) = &diagnostic.program.finding.fix {
        message += &format!("\nfix: {fix}");
    }
    SarifResult {
        rule_id,
        rule_index: index.unwrap_or_default(),
        level: "error",
        message: as_text(&message),
        locations: as_location(diagnostic).into_iter().collect(),
    }
}

/// In the source and in the program, as far as the log tells.
fn as_location(diagnostic: &ProgramDiagnostic<'_>) -> Option<SarifLocation> {
    let physical_location = diagnostic.place.as_ref().map(as_physical);
    let logical_locations = as_logical(diagnostic);
    if physical_location.is_none() && logical_locations.is_empty() {
        return None;
    }
    Some(SarifLocation {
        physical_location,
        logical_locations,
    })
}

fn as_physical(place: &SourcePlace) -> SarifPhysicalLocation {
    let (start_column, end_column) = place.columns();
    let has_text = !place.text.is_empty();
    SarifPhysicalLocation {
        artifact_location: SarifArtifact {
            uri: as_uri(&place.file),
        },
        region: SarifRegion {
            start_line: place.line,
            start_column,
            end_column,
            snippet: has_text.then(|| as_text(&place.text)),
        },
    }
}

/// The program, and the instruction in it.
fn as_logical(diagnostic: &ProgramDiagnostic<'_>) -> Vec<SarifLogicalLocation> {
    let program = diagnostic.program;
    let mut locations = Vec::new();
    if let Some(name) = &program.name {
        locations.push(SarifLogicalLocation {
            name: name.clone(),
            fully_qualified_name: name.clone(),
            kind: "function",
        });
    }
    if let Some(insn) = &program.insn {
        let within = program.name.as_deref().unwrap_or("program");
        locations.push(SarifLogicalLocation {
            name: format!("instruction {}", insn.pc),
            fully_qualified_name: format!("{within}#{}", insn.pc),
            kind: "instruction",
        });
    }
    locations
}

fn as_text(text: &str) -> SarifText {
    SarifText {
        text: text.to_string(),
    }
}

/// A path as a URI: absolute ones begin with `file://`, and what a URI cannot hold is escaped.
fn as_uri(path: &str) -> String {
    let mut uri = String::from(if path.starts_with('/') { "file://" } else { "" });
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri += &format!("%{byte:02X}");
        }
    }
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_a_uri() {
        assert_eq!(as_uri("src/main.bpf.c"), "src/main.bpf.c");
        assert_eq!(as_uri("/a b/c.rs"), "file:///a%20b/c.rs");
        assert_eq!(as_uri("c:%é"), "c%3A%25%C3%A9");
    }
}
