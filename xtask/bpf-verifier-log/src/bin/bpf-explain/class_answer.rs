//! A class of errors, without a log.

use bpf_verifier_log::report::{
    NoContext, ReportFormat, format_class, format_class_json, list_classes, list_classes_json,
};
use bpf_verifier_log::{Class, UnknownClass};

use crate::command_error::CommandError;

/// `name` is a class, or `all`.
pub fn answer_class(name: &str, format: ReportFormat) -> Result<String, CommandError> {
    let is_json = match format {
        ReportFormat::Text => false,
        ReportFormat::Json => true,
        other => {
            let what = format!("--format {} needs a log, and --code has none", other.name());
            return Err(CommandError::usage(what)
                .add_help(format!("as JSON: bpf-explain --code {name} --format json")));
        }
    };
    if name == "all" {
        return Ok(if is_json {
            list_classes_json()
        } else {
            list_classes()
        });
    }
    let class = name.parse::<Class>().map_err(|error| no_class(&error))?;
    Ok(if is_json {
        format_class_json(class)
    } else {
        format_class(class, &NoContext)
    })
}

/// Two names that are less alike than this have nothing to do with each other.
const ALIKE: f64 = 0.8;

fn no_class(error: &UnknownClass) -> CommandError {
    let mut problem = CommandError::usage(error.to_string());
    let mut best = None;
    let mut highest = ALIKE;
    for class in Class::ALL {
        let score = strsim::jaro_winkler(class.slug(), &error.0);
        if score > highest {
            highest = score;
            best = Some(class.slug());
        }
    }
    if let Some(slug) = best {
        problem = problem.add_help(format!("a similar one exists: bpf-explain --code {slug}"));
    }
    problem.add_help("all classes: bpf-explain --code all")
}
