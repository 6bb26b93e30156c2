//! Everything that was found, as JSON.

use alloc::string::String;

use serde::Serialize;

use crate::explain::explained_program::{ExplainedProgram, LogVerdict};
use crate::explain::explanation::Explanation;

/// The fields of a program: [`PROGRAM_FIELDS`].
#[derive(Serialize)]
struct VersionedExplanation<'a> {
    version: u32,
    verdict: LogVerdict,
    programs: &'a [ExplainedProgram],
}

/// One object, on several lines.
pub fn format_json(explanation: &Explanation) -> String {
    format_pretty(&VersionedExplanation {
        version: 1,
        verdict: explanation.verdict,
        programs: &explanation.programs,
    })
}

/// JSON that people can read too.
pub fn format_pretty(value: &impl Serialize) -> String {
    // What is written here has no maps of odd keys, so that JSON can hold all of it.
    serde_json::to_string_pretty(value).unwrap_or_default() + "\n"
}

/// The fields of a program in JSON, for help texts: a line each, with two more spaces for each
/// object that it is in.
pub const PROGRAM_FIELDS: &str = "    verdict          as above
    name             the program's, or null
    class            null if not explained
      slug           its name
      title          what is wrong, in a few words
      rule           what the verifier demands
      fix_c          what to do in C
      fix_rust       what to do in Rust
    messages         the decisive line first
      line           its number in the input
      text           without its number
    age              which kernels print the decisive line, or null
      since          the first series, or null if the oldest that is known prints it too
      until          the last, or null if the newest still prints it
    insn             the refused instruction, or null
      pc             its number
      opcode         as a number
      text           as the verifier prints it; empty if only a message names it
    source           the line of its source, or null
      text           the line
      file           its file, or null
      line           its number, or null
    register         the number of the register that the message names, or null
    finding          from the verifier's state
      known          sentences about what the verifier knew
      missing        what was missing, or null
      fix            what to do where the fixes of the class do not fit, or null
      facts          where the log shows what the sentences say, each with
        line         its number in the input
        pc           number of the instruction that it is about
        register     the number of the register that held a value; null: the instruction
        text         the value or the instruction, as the line has it
    diagnosis        of Linux 7.3, or null
      category       Memory Safety
      problem        in a few words
      reason         in a sentence or two
      place          the function, file, line and column
      context        lines of source and instructions around it
      causal_path    lines that say how the values came about
      suggestion     what to do
    processed        instructions that the verifier went through, or null
    errno            the system call's error number, or null
    truncated        true if a part of the log is missing
    missing_part     beginning, middle or end, or null
    buffer_too_small
                     true if the loader says that its buffer did not suffice for the log
    is_guess         true if the class is only the likeliest: the log ends before it says why
    loader           aya, libbpf, libbpf-rs, ebpf-go, bpftool, bpftrace, bcc, iproute2, or null
";
