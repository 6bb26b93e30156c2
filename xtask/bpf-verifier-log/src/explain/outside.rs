//! Errors around the logs: of the compiler, the linker, the loader, the system call.

use alloc::borrow::ToOwned;
use alloc::vec;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_class::{decide_class, decide_class_of_errno};
use crate::explain::explained_program::{ExplainedProgram, LogVerdict};
use crate::explain::prose::{TextSample, find_prose_message, is_unmistakable};
use crate::grammar::table::FoundMessage;
use crate::grammar::template::MessageRole;
use crate::input::missing_part::MissingPart;
use crate::input::program_log::{MessageLine, ProgramLog};
use crate::log::message::LogMessage;

/// Looks for an answer outside of the logs, where the logs have none. True if there is one.
pub fn add_outside_errors(
    programs: &mut Vec<ExplainedProgram>,
    outside: &[MessageLine],
    sample: &TextSample,
) -> bool {
    let has_unknown = programs
        .iter()
        .any(|program| program.verdict == LogVerdict::Unknown);
    if has_unknown {
        return false;
    }
    let about_bpf = !programs.is_empty() || sample.is_about_bpf();
    let mut found = find_error(programs, outside, sample, about_bpf);
    if found.is_none() && programs.is_empty() {
        found = find_loader_error(outside, MessageRole::Decoy, about_bpf);
    }
    let Some(found) = found else {
        return false;
    };
    // What the error number of a log says already.
    for program in programs.iter() {
        if decide_class_without_reason(program) == found.class {
            return false;
        }
    }
    programs.push(found);
    true
}

/// The error of a compiler, a linker or a loader; or else a message of the verifier that someone
/// quoted.
fn find_error(
    programs: &[ExplainedProgram],
    outside: &[MessageLine],
    sample: &TextSample,
    about_bpf: bool,
) -> Option<ExplainedProgram> {
    // A quoted message counts where there is no log, or one whose end is missing.
    let has_end = programs.iter().any(|program| program.processed.is_some());
    let quoted = find_quoted(outside, about_bpf).filter(|_| !has_end);
    let error = find_loader_error(outside, MessageRole::Error, about_bpf);
    // A log may be cut, and have the message all the same.
    let is_cut = |program: &ExplainedProgram| program.class == Some(Class::LogTruncated);
    if let Some(error) = error
        && (quoted.is_none() || !is_cut(&error))
    {
        return Some(error);
    }
    if quoted.is_some() {
        return quoted;
    }
    if programs.is_empty() {
        let message = find_prose_message(sample)?;
        return explain_messages(vec![message]);
    }
    None
}

/// The first error of a compiler, a linker or a loader: the others are its consequences.
fn find_loader_error(
    outside: &[MessageLine],
    role: MessageRole,
    about_bpf: bool,
) -> Option<ExplainedProgram> {
    for line in outside {
        for found in &line.found {
            let is_sure = match role {
                MessageRole::Decoy => about_bpf && is_about_loading(&line.text),
                _ => about_bpf || is_unmistakable(found),
            };
            let is_other = is_other_sentence(found, &line.text);
            if found.from_kernel || found.message_role() != role || !is_sure || is_other {
                continue;
            }
            let text = line.text.get(found.start..).unwrap_or_default();
            let message = LogMessage {
                line: line.line,
                text: text.trim_end_matches(['"', '`', '\\']).to_owned(),
            };
            let class = decide_class(found.template.class?, &message.text, false);
            return Some(ExplainedProgram::of_message(class, message, &line.text));
        }
    }
    None
}

/// `BPF program is too large for ...` is what someone writes about programs.
fn is_other_sentence(found: &FoundMessage, line: &str) -> bool {
    let rest = line.get(found.end..).unwrap_or_default();
    let goes_on = rest.strip_prefix(' ').unwrap_or_default();
    found.template.class == Some(Class::ResourceLimits)
        && goes_on.starts_with(|next: char| next.is_ascii_lowercase())
}

/// Any program can run out of space, or be refused a permission.
fn is_about_loading(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "bpf", "BPF", "rog", "oad", "LOAD", "map ", "erifier", "emlock", "MEMLOCK",
    ];
    WORDS.iter().any(|word| line.contains(word))
}

/// A message of the verifier that someone wrote down without its log, with the line that belongs to
/// it.
fn find_quoted(outside: &[MessageLine], about_bpf: bool) -> Option<ExplainedProgram> {
    let first = outside.iter().position(|line| {
        let is_sure = about_bpf || line.found.iter().any(is_unmistakable);
        line.is_error() && line.is_from_kernel() && is_sure
    })?;
    let mut messages = outside[first..].to_vec();
    let next = messages[0].line + 1;
    if let Some(end) = messages.iter().position(|line| line.line > next) {
        messages.truncate(end);
    }
    explain_messages(messages)
}

fn explain_messages(last: Vec<MessageLine>) -> Option<ExplainedProgram> {
    let program = ExplainedProgram::of_log(&ProgramLog::from_quoted(last));
    (program.verdict == LogVerdict::Explained).then_some(program)
}

/// What the error number says of logs without a rejection. `only_cut`: another program explains
/// why whole logs have an error.
pub fn explain_by_errno(programs: &mut [ExplainedProgram], only_cut: bool) {
    for program in programs {
        let is_whole = program.missing_part.is_none() && !program.buffer_too_small;
        if program.verdict != LogVerdict::NoRejection || (only_cut && is_whole) {
            continue;
        }
        program.class = decide_class_without_reason(program);
        program.is_guess = program.class == Some(Class::ComplexityInsns);
        if program.class.is_some() {
            program.verdict = LogVerdict::Explained;
        } else if program.fails_load && program.missing_part.is_some() {
            // It was rejected, and the line that says why is missing.
            program.verdict = LogVerdict::Unknown;
        }
    }
}

fn decide_class_without_reason(program: &ExplainedProgram) -> Option<Class> {
    const E2BIG: i32 = 7;
    const EACCES: i32 = 13;
    const EINVAL: i32 = 22;
    let (processed, insns) = (program.processed, program.shown_insns());
    if program.buffer_too_small {
        return Some(Class::LogTruncated);
    }
    let errno = program.errno?;
    match (program.missing_part, errno) {
        // Too many maps or instructions would have ended it before the first step.
        (Some(MissingPart::End), E2BIG) if insns > 0 => Some(Class::ComplexityInsns),
        (Some(MissingPart::Beginning), EINVAL) if program.ends_with_insn => {
            Some(Class::CleanLogError)
        }
        (Some(_), E2BIG | EACCES | EINVAL) => None,
        _ => decide_class_of_errno(errno, processed, insns),
    }
}

#[cfg(test)]
mod tests {
    use super::Class;
    use crate::explain::explained_program::LogVerdict;
    use crate::explain::explanation::explain_log;

    fn class(text: &str) -> Option<Class> {
        explain_log(text.as_bytes()).programs.first()?.class
    }

    #[test]
    fn other_programs_fail_too() {
        for text in [
            "error: failed to open file `uv.toml`: Permission denied (os error 13)",
            "abort: error flushing command output: No space left on device (os error 28)",
            "wax: unknown opcode 17 in event_created_child, ignoring",
            "main.o: undefined reference to `main'",
            "sudo: Operation not permitted",
            "it says \"BPF program is too large for this machine\"",
        ] {
            assert_eq!(
                explain_log(text.as_bytes()).verdict,
                LogVerdict::NoLog,
                "{text}"
            );
        }
        assert_eq!(
            class("bpf(BPF_PROG_LOAD): No space left on device"),
            Some(Class::LogTruncated)
        );
        assert_eq!(
            class("back-edge from insn 7 to 3\n\nWARNING: Kernel log seems to be trimmed."),
            Some(Class::LoopBackEdge)
        );
        assert_eq!(
            class("unknown opcode 8d\nfailed to load the BPF program"),
            Some(Class::UnknownOpcode)
        );
    }

    /// Errors of bpf-linker 0.13, aya 0.14 and libbpf 1.7, as they print them.
    #[test]
    fn loaders_and_linkers_say_why() {
        for (text, expected) in [
            (
                "  = note: Error: error: the argument '--btf' cannot be used multiple times\n\n \
                 Usage: bpf-linker [OPTIONS]",
                Class::LinkerFailed,
            ),
            (
                "error: linking with `bpf-linker` failed: exit status: 1\n  \
                 = note: ERROR llvm: src/num/int_macros.rs:899:31: in function p i32 (ptr): \
                 unsupported signed division, please convert to unsigned div/mod.",
                Class::LlvmUnsupported,
            ),
            (
                "error: linking with `bpf-linker` failed: signal: 6 (SIGABRT)\n  \
                 = note: ERROR fatal error: \"Cannot select: 0x55e6c991a010: i64,ch = \
                 AtomicLoad<(dereferenceable load acquire (s64) from @A)> 0x55e6c7776db0",
                Class::LlvmUnsupported,
            ),
            (
                "error: linking with `bpf-linker` failed: exit status: 1",
                Class::LinkerFailed,
            ),
            (
                "error parsing BPF object: invalid license `[71, 80, 76]`: missing NULL terminator",
                Class::Gpl,
            ),
            (
                "error parsing BPF object: no BTF parsed for object",
                Class::BtfRejected,
            ),
            (
                "error parsing BPF object: symbol with name m not found in the symbols table",
                Class::RelocationFailed,
            ),
            (
                "error parsing BPF object: BTF error: invalid BTF relocation kind `12`",
                Class::LoaderUnsupported,
            ),
            (
                "error parsing BPF object: BTF error: unexpected BTF type id `2`",
                Class::LoaderUnsupported,
            ),
            (
                "error parsing BPF object: invalid program section `tcx/ingress`",
                Class::SectionName,
            ),
            (
                "error parsing BPF object: error parsing ELF data",
                Class::ObjectAlignment,
            ),
            ("error parsing BPF object", Class::ObjectNotBpf),
            (
                "Error: BTF error: Unable to determine the size of section `.kconfig`",
                Class::LoaderUnsupported,
            ),
            (
                "Error: map error: type of m (BPF_MAP_TYPE_TASK_STORAGE) is unsupported; see \
                 `EbpfLoader::allow_unsupported_maps`",
                Class::LoaderUnsupported,
            ),
            (
                "libbpf: map 'm': unknown field 'size'.",
                Class::LoaderUnsupported,
            ),
            (
                "libbpf: sec '.text.unlikely.': program \
                 '_RNvNtCs1vf5PXl31O4_4core9panicking9panic_fmt' is static and not supported",
                Class::LoaderUnsupported,
            ),
        ] {
            assert_eq!(class(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_message_alone_is_enough() {
        assert_eq!(class("R2 !read_ok"), Some(Class::UninitReg));
        let gpl = "cannot call GPL-restricted function from non-GPL compatible program";
        assert_eq!(class(gpl), Some(Class::Gpl));
        let mail = "program of this\ntype cannot use helper bpf_x#46";
        assert_eq!(class(mail), Some(Class::HelperNotAllowed));
    }
}
