//! Errors around the logs: of the compiler, the linker, the loader, the system call.

use crate::class;
use crate::decide::Message;
use crate::prose;
use crate::report::{Program, Verdict};
use crate::scan::{Log, Said};
use crate::table::Found;
use crate::template::Role;

/// Looks for an answer outside of the logs, where the logs have none.
pub fn complete(programs: &mut Vec<Program>, outside: &[Said], input: &[u8]) {
    if programs
        .iter()
        .any(|program| program.verdict == Verdict::Unknown)
    {
        return;
    }
    // A quoted message counts where there is no log, or one whose end is missing.
    let ended = programs.iter().any(|program| program.processed.is_some());
    let about_bpf = !programs.is_empty() || prose::is_about_bpf(input);
    let loaders = |role| around(outside, role, about_bpf);
    let quoted = || quoted(outside, about_bpf).filter(|_| !ended);
    let is_prose = programs.is_empty();
    let written = || {
        prose::message(input)
            .filter(|_| is_prose)
            .and_then(|said| of_said(vec![said]))
    };
    if let Some(program) = loaders(Role::Error).or_else(quoted).or_else(written) {
        programs.push(program);
    } else if let Some(program) = programs
        .iter_mut()
        .find(|program| refused_by(program).is_some())
    {
        program.class = refused_by(program).and_then(class::find);
        program.verdict = Verdict::Explained;
    } else if let Some(program) = loaders(Role::Decoy).filter(|_| programs.is_empty()) {
        programs.push(program);
    }
}

/// The first error of a compiler, a linker or a loader: the others are its consequences.
fn around(outside: &[Said], role: Role, about_bpf: bool) -> Option<Program> {
    outside.iter().find_map(|said| {
        let is_sure = |found: &&Found| match role {
            Role::Decoy => about_bpf && is_about_loading(&said.text),
            _ => about_bpf || prose::is_unmistakable(found),
        };
        let is_loaders = |found: &&Found| !found.from_kernel && found.role() == role;
        let found = said
            .found
            .iter()
            .find(|found| is_loaders(found) && is_sure(found))?;
        let text = said
            .text
            .get(found.start..)
            .unwrap_or_default()
            .trim_end_matches(['"', '`', '\\'])
            .to_owned();
        Some(Program::of_message(
            found.template.class,
            Message {
                line: said.line,
                text,
            },
        ))
    })
}

/// Any program can run out of space, or lack a permission.
fn is_about_loading(line: &str) -> bool {
    const WORDS: [&str; 9] = [
        "bpf", "BPF", "rog", "oad", "LOAD", "map ", "erifier", "emlock", "MEMLOCK",
    ];
    WORDS.iter().any(|word| line.contains(word))
}

/// A message of the verifier that someone wrote down without its log, with the line that belongs to
/// it.
fn quoted(outside: &[Said], about_bpf: bool) -> Option<Program> {
    let is_kernels =
        |said: &&Said| said.is_error() && said.found.iter().any(|found| found.from_kernel);
    let is_sure = |found: &Found| about_bpf || prose::is_unmistakable(found);
    let first = outside
        .iter()
        .position(|said| is_kernels(&said) && said.found.iter().any(is_sure))?;
    let together = |said: &&Said| said.line <= outside[first].line + 1;
    of_said(
        outside[first..]
            .iter()
            .take_while(together)
            .cloned()
            .collect(),
    )
}

fn of_said(last: Vec<Said>) -> Option<Program> {
    let program = Program::of_log(&[], Log::quoted(last));
    (program.verdict == Verdict::Explained).then_some(program)
}

/// What the error number says of a log without a rejection.
fn refused_by(program: &Program) -> Option<&'static str> {
    if program.verdict != Verdict::NoRejection {
        return None;
    }
    match program.errno {
        Some(524 | 95) => Some("jit-unsupported"),
        Some(28) => Some("log-truncated"),
        Some(7) if program.processed == Some(0) => Some("resource-limits"),
        Some(22 | 13 | 7) if program.processed.is_some() => Some("clean-log-error"),
        Some(1) if program.log().is_none_or(|log| log.insns == 0) => Some("no-permission"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use crate::report::{Verdict, explain};

    fn class(text: &str) -> Option<&'static str> {
        explain(text.as_bytes())
            .programs
            .first()?
            .class
            .map(|class| class.slug)
    }

    #[test]
    fn other_programs_fail_too() {
        for text in [
            "error: failed to open file `uv.toml`: Permission denied (os error 13)",
            "abort: error flushing command output: No space left on device (os error 28)",
            "wax: unknown opcode 17 in event_created_child, ignoring",
            "main.o: undefined reference to `main'",
            "sudo: Operation not permitted",
        ] {
            assert_eq!(explain(text.as_bytes()).verdict, Verdict::NoLog, "{text}");
        }
        assert_eq!(
            class("bpf(BPF_PROG_LOAD): No space left on device"),
            Some("log-truncated")
        );
        assert_eq!(
            class("unknown opcode 8d\nfailed to load the BPF program"),
            Some("unknown-opcode")
        );
    }

    /// Errors of bpf-linker 0.13, aya 0.14 and libbpf 1.7, as they print them.
    #[test]
    fn loaders_and_linkers_say_why() {
        for (text, expected) in [
            (
                "  = note: Error: error: the argument '--btf' cannot be used multiple times\n\n Usage: bpf-linker [OPTIONS]",
                "linker-failed",
            ),
            (
                "error: linking with `bpf-linker` failed: exit status: 1\n  = note: ERROR llvm: src/num/int_macros.rs:899:31: in \
              function p i32 (ptr): unsupported signed division, please convert to unsigned div/mod.",
                "llvm-unsupported",
            ),
            (
                "error: linking with `bpf-linker` failed: signal: 6 (SIGABRT)\n  = note: ERROR fatal error: \"Cannot select: \
              0x55e6c991a010: i64,ch = AtomicLoad<(dereferenceable load acquire (s64) from @A)> 0x55e6c7776db0",
                "llvm-unsupported",
            ),
            (
                "error: linking with `bpf-linker` failed: exit status: 1",
                "linker-failed",
            ),
            (
                "error parsing BPF object: invalid license `[71, 80, 76]`: missing NULL terminator",
                "gpl",
            ),
            (
                "error parsing BPF object: no BTF parsed for object",
                "btf-rejected",
            ),
            (
                "error parsing BPF object: symbol with name m not found in the symbols table",
                "relocation-failed",
            ),
            (
                "error parsing BPF object: BTF error: invalid BTF relocation kind `12`",
                "loader-unsupported",
            ),
            (
                "error parsing BPF object: BTF error: unexpected BTF type id `2`",
                "loader-unsupported",
            ),
            (
                "error parsing BPF object: invalid program section `tcx/ingress`",
                "section-name",
            ),
            (
                "error parsing BPF object: error parsing ELF data",
                "object-alignment",
            ),
            ("error parsing BPF object", "object-not-bpf"),
            (
                "Error: BTF error: Unable to determine the size of section `.kconfig`",
                "loader-unsupported",
            ),
            (
                "Error: map error: type of m (BPF_MAP_TYPE_TASK_STORAGE) is unsupported; see \
                 `EbpfLoader::allow_unsupported_maps`",
                "loader-unsupported",
            ),
            (
                "libbpf: map 'm': unknown field 'size'.",
                "loader-unsupported",
            ),
            (
                "libbpf: sec '.text.unlikely.': program '_RNvNtCs1vf5PXl31O4_4core9panicking9panic_fmt' is static and not \
                 supported",
                "loader-unsupported",
            ),
        ] {
            assert_eq!(class(text), Some(expected), "{text}");
        }
    }

    #[test]
    fn a_message_alone_is_enough() {
        assert_eq!(class("R2 !read_ok"), Some("uninit-reg"));
        let gpl = "cannot call GPL-restricted function from non-GPL compatible program";
        assert_eq!(class(gpl), Some("gpl"));
        let mail = "program of this\ntype cannot use helper bpf_x#46";
        assert_eq!(class(mail), Some("helper-not-allowed"));
    }
}
