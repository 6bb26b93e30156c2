//! What to say where a part of the log is missing.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::explained_program::ExplainedProgram;
use crate::input::loader::Loader;
use crate::input::missing_part::MissingPart;
use crate::report::error_number::explain_errno;

/// Whether the line that says why is among those that are missing.
pub fn is_error_missing(program: &ExplainedProgram) -> bool {
    let is_cut = program.missing_part.is_some() || program.buffer_too_small;
    is_cut && program.messages.is_empty()
}

/// What is missing, what the error number allows, and how to get the whole log, a line each;
/// `None` if nothing is missing.
pub fn describe_missing_log(program: &ExplainedProgram) -> Option<String> {
    let error_missing = is_error_missing(program);
    let mut lines: Vec<String> = Vec::new();
    if let Some(part) = program.missing_part {
        let text = if error_missing {
            part.describe_part()
        } else {
            name_part(part)
        };
        lines.push(text.into());
    }
    if program.buffer_too_small {
        lines.push("The loader's buffer was too small for the log.".into());
    }
    if error_missing && let Some(meaning) = program.errno.and_then(explain_errno) {
        lines.push(format!("The error number is {meaning}"));
    }
    if error_missing || program.class == Some(Class::LogTruncated) {
        lines.extend(list_remedies(program.loader));
    }
    Some(lines.join("\n")).filter(|text| !text.is_empty())
}

fn name_part(part: MissingPart) -> &'static str {
    match part {
        MissingPart::Beginning => "The beginning of the log is missing.",
        MissingPart::Middle => "A part in the middle of the log is missing.",
        MissingPart::End => "The end of the log is missing.",
    }
}

/// How to get the whole log from the loader, or where it is not known, from each that is common.
fn list_remedies(loader: Option<Loader>) -> Vec<String> {
    if let Some(loader) = loader {
        let remedy = loader.how_to_get_whole_log();
        return Vec::from([format!("To get the whole log: {remedy}")]);
    }
    let mut lines = Vec::from(["To get the whole log from".into()]);
    for (name, loader) in COMMON_LOADERS {
        lines.push(format!("- {name}: {}", loader.how_to_get_whole_log()));
    }
    lines
}

const COMMON_LOADERS: [(&str, Loader); 6] = [
    ("aya", Loader::Aya),
    ("libbpf-rs", Loader::LibbpfRs),
    ("libbpf", Loader::Libbpf),
    ("cilium/ebpf", Loader::EbpfGo),
    ("bpftrace", Loader::Bpftrace),
    ("tc and ip", Loader::Iproute2),
];
