//! `explain`

use std::path::PathBuf;

use clap::Parser;

use crate::commands::explain::{ExplainOptions, Subject};

pub const EXPLAIN_HELP: &str = "\
Examples:
  cargo xtask explain load.log                what a loader printed, saved to a file
  my-loader 2>&1 | cargo xtask explain -      straight from the loader
  cargo xtask explain --code scalar-deref     a class of errors, without a log
  cargo xtask explain --last                  your answer, if the last check ended with a rejection
  cargo xtask explain load.log --object a.o   with what the object file shows: lines that can panic,
                                              lines of callers
  cargo xtask explain --object a.o            only the lines of an object that no kernel accepts

The log may come from libbpf, aya, cilium/ebpf, bcc, bpftrace or bpftool, be quoted in mail or JSON,
have time stamps and colours, be cut off, or be one of several. The program that was rejected comes
first.

Exit codes:
  0  explained
  1  a log without a rejection, a rejection with an unknown message, or no log at all; an object
     without such a line
  2  the file is not there, no class has this name, or the last check rejected nothing

JSON (fields may be added, none is removed or changes its meaning while `version` is 1; --object
without a log prints `version` and `forbidden_calls` only, --code `version` and `class`, --code all
`version` and `classes`):
  version            1
  verdict            explained, unknown, no-rejection or no-log: that of the first program
  answer             with --last; else null
    exercise         03/count-by-comm
    implementation   aya or libbpf
    kernel           6.12, or the path of a kernel
    checked          when, in UTC
    log              its file
  programs           the rejected ones first; each with
    verdict          as above
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
    insn             the refused instruction, or null
      pc             its number
      opcode         as a number
      text           as the verifier prints it
    source           the line of its source, or null
      text           the line
      file           its file, or null
      line           its number, or null
    register         the number of the register that the message names, or null
    finding          from the verifier's state
      known          sentences about what the verifier knew
      missing        what was missing, or null
    diagnosis        of Linux 7.3, or null
      category       Memory Safety
      problem        in a few words
      reason         in a sentence or two
      suggestion     what to do
    processed        instructions that the verifier went through, or null
    errno            the system call's error number, or null
    truncated        true if a part of the log is missing
    gallery          the entry of the gallery, or null
    site             with an object: where the refused instruction comes from, through functions of
                     libraries
      file           its path
      line           from 1
      column         0 if it is not known
  forbidden_calls    with an object: calls that no kernel accepts, each with
    kind             index, slice-range, copy-length, unwrap, expect, division, overflow, borrow,
                     assertion, argument, panic, pointer, missing-memory-function, missing-function,
                     trap
    panic            true for a panic of Rust
    program          the program that leads to it
    callee           the function that is called, or null for a call through a pointer
    site             the line that was written by hand, or null
      file           its path
      line           from 1
      column         0 if it is not known
    reason           why, in a sentence
    instead          what to write in place of it";

#[derive(Debug, Parser)]
pub struct ExplainArguments {
    /// A file that contains the log, with any text around it; `-` is standard input
    #[arg(value_name = "FILE", required_unless_present_any = ["code", "last", "object"])]
    file: Option<PathBuf>,
    /// The object file that the log is about: it shows which lines can panic. Without a log, lists
    /// only those lines
    #[arg(long, value_name = "OBJECT", conflicts_with_all = ["code", "last"])]
    object: Option<PathBuf>,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Explain a class of errors without a log; `all` lists the classes
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    code: Option<String>,
    /// Explain the answer to an exercise that the verifier rejected at the last check
    #[arg(long, conflicts_with_all = ["file", "code"])]
    last: bool,
}

impl From<ExplainArguments> for ExplainOptions {
    fn from(arguments: ExplainArguments) -> Self {
        let subject = if let Some(name) = arguments.code {
            Subject::Class(name)
        } else if arguments.last {
            Subject::LastRejection
        } else {
            match (arguments.object, arguments.file) {
                (Some(object), None) => Subject::Object(object),
                (object, file) => Subject::Log {
                    file: file.unwrap_or_else(|| "-".into()),
                    object,
                },
            }
        };
        Self {
            subject,
            json: arguments.json,
        }
    }
}
