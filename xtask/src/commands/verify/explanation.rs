//! Why programs were refused, at length, below the table.

use std::collections::HashMap;

use plan::load::{Load, LoadResult};

use super::input_object::InputObject;
use super::kernel_verdict::KernelVerdict;
use crate::commands::explain::explain_as_text;
use crate::output::indent::indent_lines;
use crate::pipeline::forbidden::LineReport;

/// Why programs were rejected: once for each class of error that a program met, in the words of the
/// oldest of the kernels that told it.
pub fn explain_verdicts(verdicts: &[KernelVerdict], objects: &[InputObject]) -> String {
    let mut told: Vec<(&Load, Vec<String>)> = Vec::new();
    let mut numbers = HashMap::new();
    for verdict in verdicts {
        let KernelVerdict { kernel, load, .. } = verdict;
        if !matches!(load.result, LoadResult::Rejected { .. }) {
            continue;
        }
        let class = verdict.class().map(|class| class.slug());
        let number = numbers
            .entry((&load.object, &load.program, class))
            .or_insert(told.len());
        match told.get_mut(*number) {
            Some((_, kernels)) => kernels.push(kernel.to_string()),
            None => told.push((load, vec![kernel.to_string()])),
        }
    }
    let explanation = |(load, kernels): (&Load, Vec<String>)| {
        let LoadResult::Rejected { log, .. } = &load.result else {
            return String::new();
        };
        let heading = format!(
            "{}: {} is rejected on Linux {}",
            load.object,
            load.program,
            kernels.join(", ")
        );
        let object = objects.iter().find(|object| object.path == load.object);
        let lines = object.map_or_else(LineReport::default, |object| object.report_lines(load));
        let explained = explain_as_text(log.as_bytes(), &lines);
        format!("\n{heading}:\n\n{}", indent_lines(&explained, 2))
    };
    told.into_iter().map(explanation).collect::<String>() + &explain_failures(verdicts, objects)
}

/// What objects tell that no library loads: there is no log then.
fn explain_failures(verdicts: &[KernelVerdict], objects: &[InputObject]) -> String {
    let mut text = String::new();
    for object in objects {
        let failed = verdicts.iter().filter(|verdict| {
            verdict.load.object == object.path
                && matches!(verdict.load.result, LoadResult::Failed { .. })
        });
        let failed: Vec<&KernelVerdict> = failed.collect();
        let Some(first) = failed.first() else {
            continue;
        };
        let lines = indent_lines(&object.report_lines(&first.load).as_text(), 2);
        if !lines.is_empty() {
            let kernels: Vec<String> = failed
                .iter()
                .map(|verdict| verdict.kernel.to_string())
                .collect();
            text += &format!(
                "\n{} is not loaded on Linux {}:\n\n{lines}",
                object.path,
                kernels.join(", ")
            );
        }
    }
    text
}
