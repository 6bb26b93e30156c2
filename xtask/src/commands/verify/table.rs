//! Verdicts by object and program, with a line for each kernel.

use plan::load::LoadResult;

use super::advice::Advice;
use super::input_files::InputFiles;
use super::input_object::InputObject;
use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use crate::pipeline::forbidden::{self, LineReport};

/// Where the text after kernel and answer begins.
const INDENT: usize = 23;

pub fn as_text(
    verdicts: &[KernelVerdict],
    results: &[KernelResult],
    files: &InputFiles,
    with_log: bool,
) -> String {
    let mut text = String::new();
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
        for (program, section) in programs_of(&of_object) {
            text += &program_heading(program, section);
            let of_program = of_object
                .iter()
                .filter(|verdict| verdict.load.program == program);
            let mut last_advice = None;
            for verdict in of_program {
                text += &line(verdict, last_advice, object, with_log);
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

/// The programs of one object and their sections, in the order in which they were loaded.
pub fn programs_of<'a>(verdicts: &[&'a KernelVerdict]) -> Vec<(&'a str, &'a str)> {
    let mut programs = Vec::new();
    for verdict in verdicts {
        let program = (verdict.load.program.as_str(), verdict.load.section.as_str());
        if !programs.contains(&program) {
            programs.push(program);
        }
    }
    programs
}

/// Advice that the kernel before got already is not said again.
fn line(
    verdict: &KernelVerdict,
    last_advice: Option<&Advice>,
    object: Option<&InputObject>,
    with_log: bool,
) -> String {
    let answer = verdict.answer();
    let (mark, word) = (answer.mark().symbol(), verdict.word());
    let indent = format!("\n{:INDENT$}", "");
    let reason = if verdict.advice.as_ref() == last_advice {
        verdict.short_reason()
    } else {
        verdict.reason()
    };
    let reason = reason.replace('\n', &indent);
    let kernel = &verdict.kernel;
    let mut text = format!("    {mark} {kernel:<5}  {word:<9} {reason}\n");
    if let Some(class) = verdict.class() {
        text += &format!("{:INDENT$}{}: {}\n", "", class.slug(), class.title());
    }
    for note in &verdict.load.notes {
        text += &format!("{:INDENT$}note: {note}\n", "");
    }
    let lines = object.map_or_else(LineReport::default, |object| {
        object.report_lines(&verdict.load)
    });
    for call in &lines.calls {
        text += &format!("{:INDENT$}{}\n", "", forbidden::summarize_call(call));
    }
    if let (LoadResult::Rejected { log, .. }, true) = (&verdict.load.result, with_log) {
        for line in log.lines() {
            text += &format!("            | {line}\n");
        }
    }
    text
}
