//! The log, from a file or from standard input, read as it comes.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::Path;

use bpf_verifier_log::{Explanation, LogReader, clean_text};

use crate::command_error::CommandError;

/// What a pipe holds on Linux, in bytes.
const PIECE: usize = 64 * 1024;

/// Explains a file; `-` is standard input.
pub fn explain_input(file: &Path) -> Result<Explanation, CommandError> {
    if file == Path::new("-") {
        let stdin = io::stdin();
        if stdin.is_terminal() {
            eprintln!("paste the log, then press Ctrl-D on an empty line");
        }
        let explanation = explain_reader(stdin.lock());
        return explanation.map_err(|error| unreadable("standard input", &error));
    }
    let explanation = File::open(file).and_then(explain_reader);
    let name = clean_text(file.as_os_str().as_encoded_bytes(), false);
    explanation.map_err(|error| unreadable(&format!("'{name}'"), &error))
}

/// In little memory, however long the log is.
fn explain_reader(mut input: impl Read) -> io::Result<Explanation> {
    let mut reader = LogReader::new();
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Ok(0) => return Ok(reader.finish()),
            Ok(length) => reader.push(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

fn unreadable(name: &str, error: &io::Error) -> CommandError {
    CommandError::usage(format!("cannot read {name}: {error}"))
        .add_help("a log from standard input: my-loader 2>&1 | bpf-explain")
        .add_help("a class of errors without a log: bpf-explain --code all")
}
