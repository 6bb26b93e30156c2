//! `bpf-explain`: why the kernel's verifier rejected an eBPF program.
//!
//! ```text
//!   arguments      what is typed
//!   log_input      the log, from a file or a pipe
//!   class_answer   a class of errors, without a log
//!   command_error  what went wrong, what to type next, the exit code
//! ```

mod arguments;
mod class_answer;
mod command_error;
mod log_input;

use std::io::{self, ErrorKind, Write};
use std::path::Path;
use std::process::ExitCode;

use bpf_verifier_log::report::{SourceTree, format_report};
use bpf_verifier_log::{LogVerdict, clean_text};
use clap::Parser as _;

use arguments::ExplainCommand;
use class_answer::answer_class;
use command_error::CommandError;
use log_input::explain_input;

fn main() -> ExitCode {
    match run_command(&ExplainCommand::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(error) => {
            // Where standard error is closed, there is no one to tell.
            let _ = write!(io::stderr().lock(), "{error}");
            ExitCode::from(error.exit_code())
        }
    }
}

/// Whether there is an explanation.
fn run_command(command: &ExplainCommand) -> Result<bool, CommandError> {
    if let Some(name) = &command.code {
        write_answer(&answer_class(name, command.format)?)?;
        return Ok(true);
    }
    if !command.source.is_dir() {
        return Err(no_sources(&command.source));
    }
    let explanation = explain_input(&command.file)?;
    let sources = SourceTree::new(&command.source);
    write_answer(&format_report(&explanation, command.format, &sources))?;
    Ok(explanation.verdict == LogVerdict::Explained)
}

fn no_sources(directory: &Path) -> CommandError {
    let name = clean_text(directory.as_os_str().as_encoded_bytes(), false);
    CommandError::usage(format!("--source '{name}' is no directory"))
        .add_help("it takes the directory that the source files are in, or in its subdirectories")
}

/// Whoever reads the output may have seen enough: the exit code still tells.
fn write_answer(text: &str) -> Result<(), CommandError> {
    let mut stdout = io::stdout().lock();
    let written = stdout
        .write_all(text.as_bytes())
        .and_then(|()| stdout.flush());
    match written {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::machine(format!(
            "cannot write to standard output: {error}"
        ))),
        _ => Ok(()),
    }
}
