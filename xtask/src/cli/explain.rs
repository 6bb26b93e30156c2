//! `explain`

use std::path::PathBuf;

use bpf_verifier_log::report::{PROGRAM_FIELDS, ReportFormat};
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use crate::commands::explain::cost::CostOptions;
use crate::commands::explain::{ExplainOptions, Subject};

/// What the library finds is told by the library.
pub fn explain_help() -> String {
    [LOG_HELP, PROGRAM_FIELDS, COURSE_FIELDS].concat()
}

const LOG_HELP: &str = "\
Examples:
  cargo xtask explain load.log                what a loader printed, saved to a file
  my-loader 2>&1 | cargo xtask explain -      straight from the loader
  cargo xtask explain --code scalar-deref     a class of errors, without a log
  cargo xtask explain --last                  your answer, if the last check ended with a rejection
  cargo xtask explain load.log --object a.o   with what the object file shows: lines that can panic,
                                              lines of callers
  cargo xtask explain --object a.o            only the lines of an object that no kernel accepts
  cargo xtask explain load.log --format sarif
                                              for code scanning
  cargo xtask explain --cost load.log         why verification is slow, from a log of level 2
  cargo xtask explain --cost --budget 100000 load.log
                                              fails if a program takes more instructions
  cargo xtask explain --compare old.log new.log
                                              what got more expensive; logs, or what --cost --json
                                              printed; `-` is standard input

The log may come from libbpf, aya, cilium/ebpf, bcc, bpftrace or bpftool, be quoted in mail or JSON,
have time stamps and colours, be cut off, or be one of several. The program that was rejected comes
first.

Formats that underline the line of the source, found in the current directory:
  rustc              a line for each rejected program, as rustc --error-format=json prints it
  sarif              a SARIF 2.1.0 log file; a class of errors is a rule
  github             annotations of a GitHub workflow

Exit codes:
  0  explained
  1  a log without a rejection, a rejection with an unknown message, or no log at all; an object
     without such a line; with --cost, a log without instructions, or a program over the budget
  2  the file is not there, no class has this name, or the last check rejected nothing; with
     --compare, one of the files tells no cost

JSON (fields may be added, none is removed or changes its meaning while `version` is 1; --object
without a log prints `version` and `forbidden_calls` only, --code `version` and `class`, --code all
`version` and `classes`):
  version            1
  verdict            explained, unknown, no-rejection or no-log: that of the first program
  answer             with --last; else null
    exercise         03/count-by-comm
    implementation   aya or libbpf
    kernel           6.12, or the path of a kernel
    architecture     the kernel's: amd64 or arm64
    checked          when, in UTC
    log              its file
  programs           the rejected ones first; each with
";

const COURSE_FIELDS: &str = "    gallery          the entry of the gallery, or null
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
    instead          what to write in place of it
With --cost, `version` and, in the order of their logs:
  programs           each with
    name             the program's, or null
    processed        instructions that the verifier says it went through, or null
    shown            instructions that the log shows
    share            whole, beginning-missing, end-missing, last-path (a log of level 1), or part
    states           of the kernel's own count, or null
      total          that it kept
      peak           at once
      most_at_one    at one instruction
    paths            those that the log shows
      begun          how many
      pruned         that ended where the verifier had been with such a state
      exited         that ended at an exit
    functions        the most expensive first
      number         in the log
      name           or null
      first_pc       number of its first instruction
      insns          what it cost: instructions that the verifier went through
      is_global      true: walked once for all calls
      calls          that the verifier came to
    loops            the most expensive first
      first_pc       the first instruction, to which it jumps back
      last_pc        the last jump back
      rounds         how often the verifier came to the first instruction
      insns          what it cost
      text           the source of the jump back
      file           its file, or null
      line           its number, or null
    lines            of the source, the most expensive first
      text           the line
      file           its file, or null
      line           its number, or null
      first_pc       its first instruction
      insns          what it cost
      visits         how often the verifier came to it
      states         with how many different states, up to 16384
      copies         how many times the program has its instructions
      advice         index of the advice on it, or null
    forks            instructions at which paths part, the most frequent first
      pc             its number
      insn           its text
      paths          that began at its other way out
      text           the source
      file           its file, or null
      line           its number, or null
    obstacles        what keeps paths apart where they meet
      pc             the instruction at which they meet
      text           the source
      file           its file, or null
      line           its number, or null
      arrivals       how often the verifier came there
      name           the register or slot: R1, fp-16
      differs        how often it was not what it had been the time before
      least          of its values, or null if not all were numbers
      greatest       of its values, or null
      step           from most numbers to the next, or null
      set_by         instructions that set it, or branches that narrowed it
      needed_by      the instruction for which it must be known exactly, or null
    advice           what would make it cheaper, as far as the log proves it
      kind           loop-rounds, repeated-function, repeated-code or meeting-paths
      first_pc       the first instruction that it is about
      last_pc        the last one
      insns          what they cost
      observed       what the log shows
      instead        what to do";

#[derive(Debug, Parser)]
pub struct ExplainArguments {
    /// A file that contains the log, with any text around it; `-` is standard input
    #[arg(value_name = "FILE")]
    #[arg(required_unless_present_any = ["code", "last", "object", "compare"])]
    file: Option<PathBuf>,
    /// The object file that the log is about: it shows which lines can panic. Without a log, lists
    /// only those lines
    #[arg(long, value_name = "OBJECT", conflicts_with_all = ["code", "last"])]
    object: Option<PathBuf>,
    /// The form of the answer; json is the same as --json
    #[arg(long, value_name = "FORMAT", default_value = ReportFormat::Text.name())]
    #[arg(value_parser = format_parser(), conflicts_with_all = ["json", "compare"])]
    format: ReportFormat,
    /// Print JSON
    #[arg(long)]
    json: bool,
    /// Explain a class of errors without a log; `all` lists the classes
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    code: Option<String>,
    /// Explain the answer to an exercise that the verifier rejected at the last check
    #[arg(long, conflicts_with_all = ["file", "code"])]
    last: bool,
    /// Tell what verification cost, by line, function and loop, and what would make it cheaper. The
    /// file has a log of level 2
    #[arg(long, conflicts_with_all = ["code", "last", "object"])]
    cost: bool,
    /// With --cost: exit with 1 if a program takes more instructions
    #[arg(long, value_name = "INSTRUCTIONS", requires = "cost")]
    #[arg(allow_negative_numbers = true, value_parser = parse_budget)]
    budget: Option<u64>,
    /// Tell what changed between two logs, or outputs of --cost --json
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"])]
    #[arg(conflicts_with_all = ["file", "code", "last", "object", "cost", "budget", "json"])]
    compare: Option<Vec<PathBuf>>,
}

impl From<ExplainArguments> for ExplainOptions {
    fn from(arguments: ExplainArguments) -> Self {
        let subject = if let Some(name) = arguments.code {
            Subject::Class(name)
        } else if arguments.last {
            Subject::LastRejection
        } else if let Some([old, new]) = arguments.compare.as_deref() {
            Subject::Comparison {
                old: old.clone(),
                new: new.clone(),
            }
        } else if arguments.cost {
            Subject::Cost(CostOptions {
                file: arguments.file.unwrap_or_else(|| "-".into()),
                budget: arguments.budget,
            })
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
            format: if arguments.json {
                ReportFormat::Json
            } else {
                arguments.format
            },
        }
    }
}

/// Also of `verify`.
pub fn parse_budget(text: &str) -> Result<u64, String> {
    match text.parse() {
        Ok(0) => Err("each program takes at least one instruction".to_owned()),
        Ok(insns) => Ok(insns),
        Err(_) => Err("a number of instructions in digits, such as 100000".to_owned()),
    }
}

/// The names, for errors and for `--help`.
fn format_parser() -> impl TypedValueParser<Value = ReportFormat> {
    let names = ReportFormat::ALL.iter().map(|format| format.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ReportFormat>())
}
