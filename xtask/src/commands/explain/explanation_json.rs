//! What `--json` prints.

use anyhow::{Context, Result};
use bpf_verifier_log::{ExplainedProgram, Explanation, LogVerdict};
use course::Implementation;
use kernel::Architecture;
use serde::Serialize;

use super::gallery_entry::find_gallery_entry;
use crate::output::plain_text::clean_json;
use crate::pipeline::answer_build::course_path;
use crate::pipeline::forbidden::{ForbiddenCallJson, LineReport, SiteJson};
use crate::pipeline::rejection::{self, Rejection};

/// What `explain --json` prints about a log; `explain --help` tells the fields.
#[derive(Serialize)]
struct ExplanationJson<'a> {
    version: u32,
    verdict: LogVerdict,
    answer: Option<RejectedAnswerJson<'a>>,
    programs: Vec<ProgramJson<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    forbidden_calls: Vec<ForbiddenCallJson>,
}

/// What `--object` alone prints.
#[derive(Serialize)]
struct ObjectJson {
    version: u32,
    forbidden_calls: Vec<ForbiddenCallJson>,
}

/// With `--last`: whose log it is.
#[derive(Serialize)]
struct RejectedAnswerJson<'a> {
    exercise: &'a str,
    implementation: Implementation,
    kernel: &'a str,
    architecture: Architecture,
    checked: String,
    log: String,
}

#[derive(Serialize)]
struct ProgramJson<'a> {
    #[serde(flatten)]
    program: &'a ExplainedProgram,
    gallery: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    site: Option<SiteJson>,
}

pub fn format_explanation(
    report: &Explanation,
    rejection: Option<&Rejection>,
    lines: &LineReport,
) -> Result<String> {
    let mut programs: Vec<ProgramJson<'_>> = report
        .programs
        .iter()
        .map(|program| ProgramJson {
            program,
            gallery: program
                .class
                .and_then(|class| find_gallery_entry(class.slug())),
            site: None,
        })
        .collect();
    // What the object tells is about the first program.
    if let Some(first) = programs.first_mut() {
        first.site = lines.site_as_json();
    }
    format_pretty(&ExplanationJson {
        version: 1,
        verdict: report.verdict,
        answer: rejection.map(RejectedAnswerJson::new),
        programs,
        forbidden_calls: lines.as_json(),
    })
}

pub fn format_object(lines: &LineReport) -> Result<String> {
    format_pretty(&ObjectJson {
        version: 1,
        forbidden_calls: lines.as_json(),
    })
}

impl<'a> RejectedAnswerJson<'a> {
    fn new(rejection: &'a Rejection) -> Self {
        Self {
            exercise: &rejection.exercise,
            implementation: rejection.implementation,
            kernel: &rejection.kernel,
            architecture: rejection.architecture,
            checked: humantime::format_rfc3339_seconds(rejection.when).to_string(),
            log: course_path(&rejection::log_file()),
        }
    }
}

fn format_pretty(value: &impl Serialize) -> Result<String> {
    let json = serde_json::to_string_pretty(value).context("cannot write JSON")?;
    Ok(clean_json(&json).into_owned() + "\n")
}

/// Of the newest kernel, which tells the most.
#[cfg(test)]
pub fn json_sample() -> Result<String> {
    let logs = checkout::workspace::workspace_root().join("xtask/bpf-verifier-log/tests/logs");
    let log = std::fs::read(logs.join("index-7.3.log"))?;
    let rejection = Rejection {
        exercise: "03/count-by-comm".to_owned(),
        implementation: Implementation::Aya,
        kernel: "6.12".to_owned(),
        architecture: Architecture::Amd64,
        when: std::time::SystemTime::UNIX_EPOCH,
        log: String::new(),
    };
    let report = bpf_verifier_log::explain_log(&log);
    format_explanation(&report, Some(&rejection), &LineReport::sample())
}
