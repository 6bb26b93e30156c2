//! What is typed.

use std::path::PathBuf;

use bpf_verifier_log::report::{PROGRAM_FIELDS, ReportFormat};
use clap::Parser;
use clap::builder::{PossibleValuesParser, TypedValueParser};

const EXAMPLES: &str = "\
Examples:
  my-loader 2>&1 | bpf-explain                straight from the loader
  bpf-explain load.log                        what a loader printed, saved to a file
  bpf-explain --code scalar-deref             a class of errors, without a log
  bpf-explain --format rustc load.log         for editors that read rustc's JSON
  bpf-explain --format sarif load.log         for code scanning

Exit codes:
  0  explained
  1  a log without a rejection, a rejection with an unknown message, or no log at all
  2  the file cannot be read, no class has this name, or the options make no sense";

const FORMATS: &str = "
The log may come from libbpf, aya, cilium/ebpf, bcc, bpftrace or bpftool, be quoted in mail or JSON,
have time stamps and colours, be cut off, or be one of several. The program that was rejected comes
first.

Formats:
  text    for people
  json    one object with everything that was found; see its fields
  rustc   one line for each rejected program: a diagnostic as rustc --error-format=json prints it
  sarif   a SARIF 2.1.0 log file; a class of errors is a rule
  github  annotations of a GitHub workflow

A log names only the last part of a source file's path. The formats rustc, sarif and github look in
--source for the one file of C or Rust that has this name and this line.

JSON (fields may be added, none is removed or changes its meaning while `version` is 1; --code
prints `version` and `class`, --code all `version` and `classes`):
  version            1
  verdict            explained, unknown, no-rejection or no-log: that of the first program
  programs           the rejected ones first; each with
";

/// Explains why the kernel's verifier rejected an eBPF program
#[derive(Debug, Parser)]
#[command(version, after_help = EXAMPLES, after_long_help = long_help())]
pub struct ExplainCommand {
    /// A file that contains the log, with any text around it; `-`, or nothing, is standard input
    #[arg(value_name = "FILE", default_value = "-", hide_default_value = true)]
    pub file: PathBuf,
    /// The form of the answer
    #[arg(long, value_name = "FORMAT", default_value = ReportFormat::Text.name())]
    #[arg(value_parser = format_parser())]
    pub format: ReportFormat,
    /// Explain a class of errors without a log; `all` lists the classes
    #[arg(long, value_name = "NAME", conflicts_with = "file")]
    pub code: Option<String>,
    /// Where the source files are, for formats that underline the line
    #[arg(
        long,
        value_name = "DIRECTORY",
        default_value = ".",
        conflicts_with = "code"
    )]
    pub source: PathBuf,
}

fn long_help() -> String {
    [EXAMPLES, "\n", FORMATS, PROGRAM_FIELDS].concat()
}

/// clap lists the names in its errors and suggests a similar one.
fn format_parser() -> impl TypedValueParser<Value = ReportFormat> {
    let names = ReportFormat::ALL.iter().map(|format| format.name());
    PossibleValuesParser::new(names).try_map(|name| name.parse::<ReportFormat>())
}
