//! Verdicts as a table of Markdown, for the summary of a job.

use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use super::table::programs_of;
use crate::output::screen::Mark;

pub fn as_markdown(verdicts: &[KernelVerdict], results: &[KernelResult]) -> String {
    let kernels: Vec<&str> = results
        .iter()
        .map(|result| result.kernel.as_str())
        .collect();
    let mut text = format!("| program | {} |\n", kernels.join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(kernels.len()));
    let mut remarks = String::new();
    for object in objects_of(verdicts) {
        let of_object: Vec<&KernelVerdict> = verdicts
            .iter()
            .filter(|verdict| verdict.load.object == object)
            .collect();
        for (program, _) in programs_of(&of_object) {
            let of_program: Vec<&KernelVerdict> = of_object
                .iter()
                .copied()
                .filter(|verdict| verdict.load.program == program)
                .collect();
            let name = name_of(object, program);
            text += &row(&name, &of_program, &kernels);
            remarks += &remarks_on(&name, &of_program);
        }
    }
    for result in results {
        if let Some(why) = &result.machine_failed {
            remarks += &format!("- Linux {}: no answer: {}\n", result.kernel, escape(why));
        }
    }
    if !remarks.is_empty() {
        text += &format!("\n{remarks}");
    }
    text
}

fn row(name: &str, verdicts: &[&KernelVerdict], kernels: &[&str]) -> String {
    let cells = kernels.iter().map(|kernel| {
        let verdict = verdicts.iter().find(|verdict| verdict.kernel == *kernel);
        verdict.map_or("", |verdict| match verdict.answer().mark() {
            Mark::Good => "✓",
            Mark::Bad => "✗",
            Mark::Note | Mark::Next => "?",
        })
    });
    format!("| {name} | {} |\n", cells.collect::<Vec<_>>().join(" | "))
}

/// What is not good, once for each reason.
fn remarks_on(name: &str, verdicts: &[&KernelVerdict]) -> String {
    let mut reasons: Vec<(String, Vec<&str>)> = Vec::new();
    for verdict in verdicts {
        let answer = verdict.answer();
        if answer.is_good() {
            continue;
        }
        let reason = format!("{}: {}", verdict.word(), escape(&verdict.reason()));
        match reasons.iter_mut().find(|(same, _)| *same == reason) {
            Some((_, kernels)) => kernels.push(&verdict.kernel),
            None => reasons.push((reason, vec![&verdict.kernel])),
        }
    }
    let line = |(reason, kernels): (String, Vec<&str>)| {
        format!("- {name} on {}: {reason}\n", kernels.join(", "))
    };
    reasons.into_iter().map(line).collect()
}

fn objects_of(verdicts: &[KernelVerdict]) -> Vec<&str> {
    let mut objects = Vec::new();
    for verdict in verdicts {
        let object = verdict.load.object.as_str();
        if !objects.contains(&object) {
            objects.push(object);
        }
    }
    objects
}

fn name_of(object: &str, program: &str) -> String {
    match program {
        "" => format!("`{}`", escape(object)),
        _ => format!("`{}` `{}`", escape(object), escape(program)),
    }
}

/// A bar would end the table's cell, a new line its row.
fn escape(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', "; ")
}
