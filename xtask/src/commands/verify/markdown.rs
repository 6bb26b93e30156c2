//! Verdicts as a table of Markdown, for the summary of a job.

use std::collections::HashMap;

use plan::load::Load;

use super::kernel_name::KernelName;
use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use super::table::{by_program, group_verdicts};
use crate::output::plain_text::clean_lines;
use crate::output::screen::Mark;

pub fn as_markdown(verdicts: &[KernelVerdict], results: &[KernelResult]) -> String {
    let kernels: Vec<&KernelName> = results.iter().map(|result| &result.kernel).collect();
    let heads: Vec<String> = kernels
        .iter()
        .map(|kernel| in_cell(&kernel.to_string()))
        .collect();
    let mut text = format!("| program | {} |\n", heads.join(" | "));
    text += &format!("|---|{}\n", "---|".repeat(kernels.len()));
    let mut remarks = String::new();
    for of_object in group_verdicts(verdicts.iter(), |verdict| &verdict.load.object) {
        for of_program in by_program(&of_object) {
            let Load {
                object, program, ..
            } = &of_program[0].load;
            text += &row(&name_of(object, program, in_cell), &of_program, &kernels);
            remarks += &remarks_on(&name_of(object, program, as_code), &of_program);
        }
    }
    for result in results {
        if let Some(why) = &result.machine_failed {
            let kernel = as_code(&result.kernel.to_string());
            remarks += &format!("- Linux {kernel}: no answer: {}\n", as_code(why));
        }
    }
    if !remarks.is_empty() {
        text += &format!("\n{remarks}");
    }
    text
}

fn row(name: &str, verdicts: &[&KernelVerdict], kernels: &[&KernelName]) -> String {
    let cells = kernels.iter().map(|kernel| {
        let verdict = verdicts.iter().find(|verdict| verdict.kernel == **kernel);
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
    let (mut reasons, mut numbers) = (Vec::<(String, Vec<&KernelName>)>::new(), HashMap::new());
    for verdict in verdicts {
        let answer = verdict.answer();
        if answer.is_good() {
            continue;
        }
        let reason = format!("{}: {}", verdict.word(), as_code(&verdict.reason()));
        let number = *numbers.entry(reason.clone()).or_insert(reasons.len());
        match reasons.get_mut(number) {
            Some((_, kernels)) => kernels.push(&verdict.kernel),
            None => reasons.push((reason, vec![&verdict.kernel])),
        }
    }
    let line = |(reason, kernels): (String, Vec<&KernelName>)| {
        let kernels: Vec<String> = kernels
            .into_iter()
            .map(|kernel| as_code(&kernel.to_string()))
            .collect();
        format!("- {name} on {}: {reason}\n", kernels.join(", "))
    };
    reasons.into_iter().map(line).collect()
}

fn name_of(object: &str, program: &str, write: fn(&str) -> String) -> String {
    match program {
        "" => write(object),
        _ => format!("{} {}", write(object), write(program)),
    }
}

/// Names and reasons may hold anything; as code they are no markup, no link and no mention of a
/// person. A kernel's version is neither.
fn as_code(text: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_digit() || letter == '.';
    if !text.is_empty() && text.chars().all(is_plain) {
        return text.to_owned();
    }
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let text = clean_lines(&lines.join("; ")).replace('\t', " ");
    // Code ends at as many backticks as it began with.
    let longest = text.split(|letter| letter != '`').map(str::len).max();
    let fence = "`".repeat(longest.unwrap_or(0) + 1);
    if text.starts_with('`') || text.ends_with('`') || text.trim().is_empty() {
        return format!("{fence} {text} {fence}");
    }
    format!("{fence}{text}{fence}")
}

/// In a table, a bar would end the cell, even in code.
fn in_cell(text: &str) -> String {
    as_code(text).replace('|', "\\|")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_holds_anything() {
        for (text, code) in [
            ("7.3", "7.3"),
            ("my kernel", "`my kernel`"),
            ("<script>@all #1", "`<script>@all #1`"),
            ("a`b``c", "```a`b``c```"),
            ("`a", "`` `a ``"),
            ("one\r\n  two\n", "`one; two`"),
            ("\u{1b}[2J", "`\u{fffd}[2J`"),
            ("", "`  `"),
        ] {
            assert_eq!(as_code(text), code);
        }
        assert_eq!(in_cell("a|b"), "`a\\|b`");
    }
}
