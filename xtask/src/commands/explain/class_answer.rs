//! A class of errors, without a log.

use anyhow::Result;
use bpf_verifier_log::report::{format_class, format_class_json, list_classes, list_classes_json};
use bpf_verifier_log::{Class, UnknownClass};
use problem::{Exit, Problem, find_similar};

use super::course_context::CourseContext;
use crate::output::screen;
use crate::pipeline::forbidden::LineReport;

/// A class by its name, or all of them.
pub fn explain_class(name: &str, json: bool) -> Result<Exit> {
    let text = match (name, name.parse::<Class>()) {
        ("all", _) if json => list_classes_json(),
        ("all", _) => list_classes(),
        (_, Ok(class)) if json => format_class_json(class),
        (_, Ok(class)) => format_class(class, &CourseContext::new(&LineReport::default())),
        (_, Err(error)) => return Err(no_class(&error).into()),
    };
    screen::write_answer(text.as_bytes())?;
    Ok(Exit::Done)
}

fn no_class(error: &UnknownClass) -> Problem {
    let slugs = Class::ALL.iter().map(|class| (class.slug(), class.slug()));
    let problem = Problem::usage(error.to_string());
    let problem = match find_similar(&error.0, slugs) {
        Some(slug) => problem.help(format!(
            "a similar one exists: cargo xtask explain --code {slug}"
        )),
        None => problem,
    };
    problem.help("all classes: cargo xtask explain --code all")
}
