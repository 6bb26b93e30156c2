//! Errors around the logs: of the compiler, the linker, the loader, the system call.

use crate::class;
use crate::decide::Message;
use crate::report::{Program, Verdict};
use crate::scan::{Log, Said};
use crate::template::Role;

/// Looks for an answer outside of the logs, where the logs have none.
pub fn complete(programs: &mut Vec<Program>, outside: &[Said]) {
    if programs.iter().any(|program| program.verdict == Verdict::Unknown) {
        return;
    }
    // A quoted message counts where there is no log, or one whose end is missing.
    let ended = programs.iter().any(|program| program.processed.is_some());
    let quoted = || quoted(outside).filter(|_| !ended);
    if let Some(program) = around(outside, Role::Error).or_else(quoted) {
        programs.push(program);
    } else if let Some(program) = programs.iter_mut().find(|program| refused_by(program).is_some()) {
        program.class = refused_by(program).and_then(class::find);
        program.verdict = Verdict::Explained;
    } else if let Some(program) = around(outside, Role::Decoy).filter(|_| programs.is_empty()) {
        programs.push(program);
    }
}

/// The first error of a compiler, a linker or a loader: the others are its consequences.
fn around(outside: &[Said], role: Role) -> Option<Program> {
    outside.iter().find_map(|said| {
        let found = said.found.iter().find(|found| !found.from_kernel && found.role() == role)?;
        let text =
            said.text.get(found.start..).unwrap_or_default().trim_end_matches(['"', '`', '\\']).to_owned();
        Some(Program::of_message(found.template.class, Message { line: said.line, text }))
    })
}

/// A message of the verifier that someone wrote down without its log, with the line that belongs to it.
fn quoted(outside: &[Said]) -> Option<Program> {
    let is_kernels = |said: &&Said| said.is_error() && said.found.iter().any(|found| found.from_kernel);
    let first = outside.iter().position(|said| is_kernels(&said))?;
    let together = |said: &&Said| said.line <= outside[first].line + 1;
    let last = outside[first..].iter().take_while(together).cloned().collect();
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
