//! `explain`: a verifier log as an explanation.
//!
//! ```text
//!   options        what is asked
//!   log_file       the log
//!   class_answer   a class of errors, without a log
//!   course_context, gallery_entry
//!                  what only the course knows; the library writes the forms of an answer
//!   cost, cost_*   what verification cost
//!   explanation_json
//!                  the form that has all of it
//! ```

mod class_answer;
pub mod cost;
pub mod cost_comparison;
pub mod cost_input;
pub mod cost_table;
mod course_context;
mod explanation_json;
mod gallery_entry;
mod log_file;
mod options;

use std::path::Path;
use std::time::Duration;

use anyhow::Result;
use bpf_verifier_log::report::{ReportFormat, format_report};
use bpf_verifier_log::{Explanation, LogVerdict, explain_log};
use problem::{Exit, Problem};

use class_answer::explain_class;
use cost::{explain_comparison, explain_cost};
use course_context::CourseContext;
#[cfg(test)]
pub use explanation_json::json_sample;
use explanation_json::{format_explanation, format_object};
use log_file::{explain_file, read_log};
pub use options::{ExplainOptions, Subject};

use crate::output::screen;
use crate::pipeline::answer_build::course_path;
use crate::pipeline::forbidden::LineReport;
use crate::pipeline::judged_place::name_vm;
use crate::pipeline::rejection::{self, Rejection};

pub fn explain_rejection(options: &ExplainOptions) -> Result<Exit> {
    let format = options.format;
    match &options.subject {
        Subject::Class(name) => explain_class(name, is_json(format)?),
        Subject::LastRejection => show_last(format),
        Subject::Object(object) => {
            let json = is_json(format)?;
            object_alone(&LineReport::read_object(object, None)?, json)
        }
        Subject::Cost(options) => explain_cost(options, format),
        Subject::Comparison { old, new } => explain_comparison(old, new),
        Subject::Log { file, object } => {
            let (report, lines) = match object {
                Some(object) => explain_with_object(file, object)?,
                None => (explain_file(file)?, LineReport::default()),
            };
            show(&report, None, &lines, format)
        }
    }
}

/// The object's lines are found by the steps of the log, so that all of it is kept.
fn explain_with_object(file: &Path, object: &Path) -> Result<(Explanation, LineReport)> {
    let log = read_log(file)?;
    let lines = LineReport::read_object(object, Some(&log))?;
    Ok((explain_log(&log), lines))
}

/// An explanation for people. What the object tells is about the first program.
pub fn explain_as_text(log: &[u8], lines: &LineReport) -> String {
    let context = CourseContext::new(lines);
    format_report(&explain_log(log), ReportFormat::Text, &context)
}

/// Of the two forms that need no log.
fn is_json(format: ReportFormat) -> Result<bool, Problem> {
    match format {
        ReportFormat::Text => Ok(false),
        ReportFormat::Json => Ok(true),
        other => {
            let what = format!(
                "--format {} is about a log, and none is given",
                other.name()
            );
            Err(Problem::usage(what)
                .help("without a log, there is --format text and --format json"))
        }
    }
}

fn show_last(format: ReportFormat) -> Result<Exit> {
    let rejection = rejection::last_rejection()?.ok_or_else(nothing_rejected)?;
    let kept = rejection::object_file();
    let object = kept.exists().then_some(kept.as_path());
    let lines = lines_of(object, rejection.log.as_bytes())?;
    show(
        &explain_log(rejection.log.as_bytes()),
        Some(&rejection),
        &lines,
        format,
    )
}

fn nothing_rejected() -> Problem {
    Problem::usage("the verifier rejected no answer at the last check")
        .help("check one: cargo xtask check")
        .help("a log of another program: cargo xtask explain FILE")
}

/// What the object file tells about a program that was rejected with this log.
fn lines_of(object: Option<&Path>, log: &[u8]) -> Result<LineReport, Problem> {
    object.map_or_else(
        || Ok(LineReport::default()),
        |object| LineReport::read_object(object, Some(log)),
    )
}

fn show(
    report: &Explanation,
    rejection: Option<&Rejection>,
    lines: &LineReport,
    format: ReportFormat,
) -> Result<Exit> {
    let text = if format == ReportFormat::Json {
        format_explanation(report, rejection, lines)?
    } else {
        format_report(report, format, &CourseContext::new(lines))
    };
    let text = match rejection {
        Some(rejection) if format == ReportFormat::Text => answer_as_text(rejection) + "\n" + &text,
        _ => text,
    };
    screen::write_verdict(&text)?;
    Ok(if report.verdict == LogVerdict::Explained {
        Exit::Done
    } else {
        Exit::NotYet
    })
}

/// What an object file tells without a log.
fn object_alone(lines: &LineReport, json: bool) -> Result<Exit> {
    let text = match (json, lines.calls.is_empty()) {
        (true, _) => format_object(lines)?,
        (false, true) => NO_FORBIDDEN_CALL.to_owned(),
        (false, false) => lines.as_text(),
    };
    screen::write_verdict(&text)?;
    Ok(if lines.calls.is_empty() {
        Exit::NotYet
    } else {
        Exit::Done
    })
}

/// Which answer the log is about.
fn answer_as_text(rejection: &Rejection) -> String {
    let Rejection {
        exercise,
        implementation,
        kernel,
        architecture,
        when,
        ..
    } = rejection;
    // A clock that was set back makes it new.
    let ago = Duration::from_secs(when.elapsed().unwrap_or_default().as_secs());
    let facts = [
        ("answer", format!("{exercise}, {implementation}")),
        ("kernel", name_vm(kernel, &[*architecture])),
        (
            "checked",
            format!("{} ago", humantime::format_duration(ago)),
        ),
        (
            "log",
            format!(
                "{}   (the book's explorer steps through it)",
                course_path(&rejection::log_file())
            ),
        ),
    ];
    facts
        .map(|(name, fact)| format!("{name:<13} {fact}\n"))
        .concat()
}

const NO_FORBIDDEN_CALL: &str = "\
no line of this object can panic, call through a pointer, or call a function that is not defined
";
