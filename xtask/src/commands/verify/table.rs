//! Verdicts by object and program, with a line for each kernel.

use std::collections::HashMap;

use plan::load::{Load, LoadResult};

use super::advice::Advice;
use super::input_files::InputFiles;
use super::input_object::InputObject;
use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use crate::pipeline::forbidden::{self, LineReport};

/// The columns of a line that come before the answer's reason, besides the kernel.
pub const INDENT: usize = 18;

pub fn as_text(
    verdicts: &[KernelVerdict],
    results: &[KernelResult],
    files: &InputFiles,
    with_log: bool,
) -> String {
    let mut text = String::new();
    let names = results.iter().map(|result| result.kernel.to_string().len());
    let columns = names.max().unwrap_or(0).max(5);
    for path in &files.paths {
        let of_object: Vec<&KernelVerdict> = verdicts
            .iter()
            .filter(|verdict| verdict.load.object == *path)
            .collect();
        text += &object_heading(path, &of_object);
        if results
            .iter()
            .any(|result| result.without_programs.contains(path))
        {
            text += "  it has no programs: there is nothing to verify\n";
        }
        let object = files.objects.iter().find(|object| object.path == *path);
        for of_program in by_program(&of_object) {
            let Load {
                program, section, ..
            } = &of_program[0].load;
            text += &program_heading(program, section);
            let mut last_advice = None;
            for verdict in of_program {
                text += &line(verdict, last_advice, object, with_log, columns);
                last_advice = verdict.advice.as_ref();
            }
        }
    }
    text
}

/// The object, and the library that loaded it.
pub fn object_heading(path: &str, verdicts: &[&KernelVerdict]) -> String {
    let library = verdicts.iter().find_map(|verdict| verdict.load.library);
    let library = library.map_or(String::new(), |library| {
        format!(", loaded with {}", library.name())
    });
    format!("{path}{library}\n")
}

pub fn program_heading(program: &str, section: &str) -> String {
    match program {
        "" => "  the whole object\n".to_owned(),
        _ => format!("  {program} ({section})\n"),
    }
}

/// The verdicts on each program of one object, in the order in which they were loaded.
pub fn by_program<'a>(verdicts: &[&'a KernelVerdict]) -> Vec<Vec<&'a KernelVerdict>> {
    group_verdicts(verdicts.iter().copied(), |verdict| &verdict.load.program)
}

/// The verdicts of each name, which is there at least once, in the order of the names' first.
pub fn group_verdicts<'a>(
    verdicts: impl Iterator<Item = &'a KernelVerdict>,
    name: fn(&'a KernelVerdict) -> &'a str,
) -> Vec<Vec<&'a KernelVerdict>> {
    let (mut groups, mut numbers) = (Vec::<Vec<_>>::new(), HashMap::new());
    for verdict in verdicts {
        let number = *numbers.entry(name(verdict)).or_insert(groups.len());
        if number == groups.len() {
            groups.push(Vec::new());
        }
        groups[number].push(verdict);
    }
    groups
}

/// Advice that the kernel before got already is not said again. The kernel has so many columns.
fn line(
    verdict: &KernelVerdict,
    last_advice: Option<&Advice>,
    object: Option<&InputObject>,
    with_log: bool,
    columns: usize,
) -> String {
    let answer = verdict.answer();
    let (mark, word) = (answer.mark().symbol(), verdict.word());
    let margin = " ".repeat(INDENT + columns);
    let indent = format!("\n{margin}");
    let reason = if verdict.advice.as_ref() == last_advice {
        verdict.short_reason()
    } else {
        verdict.reason()
    };
    let reason = reason.replace('\n', &indent);
    let kernel = &verdict.kernel;
    let mut text = format!("    {mark} {kernel:<columns$}  {word:<9} {reason}\n");
    if let Some(class) = verdict.class() {
        text += &format!("{margin}{}: {}\n", class.slug(), class.title());
    }
    for note in &verdict.load.notes {
        text += &format!("{margin}note: {note}\n");
    }
    let lines = object.map_or_else(LineReport::default, |object| {
        object.report_lines(&verdict.load)
    });
    for call in &lines.calls {
        text += &format!("{margin}{}\n", forbidden::summarize_call(call));
    }
    if let (LoadResult::Rejected { log, .. }, true) = (&verdict.load.result, with_log) {
        for line in log.lines() {
            text += &format!("            | {line}\n");
        }
    }
    text
}
