//! The log, from a file or from standard input.

use std::fs::File;
use std::io::{self, ErrorKind, IsTerminal, Read};
use std::path::Path;

use anyhow::{Context, Result};
use bpf_verifier_log::{Explanation, LogReader, clean_text};
use problem::Problem;

use crate::output::screen;

/// Twice of what any kernel's log can be; more would fill the memory.
const LARGEST: u64 = 512 * 1024 * 1024;
/// What a pipe holds on Linux, in bytes.
const PIECE: usize = 64 * 1024;

/// Explains a file piece by piece, in little memory; `-` is standard input.
pub fn explain_file(file: &Path) -> Result<Explanation> {
    let mut reader = LogReader::new();
    pass_pieces(file, &mut |piece| {
        reader.push(piece);
        Ok(())
    })?;
    Ok(reader.finish())
}

/// All of a file, for those who go through its steps; `-` is standard input.
pub fn read_log(file: &Path) -> Result<Vec<u8>> {
    let mut log = Vec::new();
    pass_pieces(file, &mut |piece| {
        if (log.len() + piece.len()) as u64 > LARGEST {
            return Err(too_large());
        }
        log.extend_from_slice(piece);
        Ok(())
    })?;
    Ok(log)
}

fn pass_pieces(file: &Path, take: &mut dyn FnMut(&[u8]) -> Result<(), Problem>) -> Result<()> {
    if file != Path::new("-") {
        let mut open = File::open(file).map_err(|error| unreadable(file, &error))?;
        return pass_input(&mut open, take)?.map_err(|error| unreadable(file, &error).into());
    }
    if io::stdin().is_terminal() {
        screen::show_note("paste the log, then press Ctrl-D on an empty line");
    }
    pass_input(&mut io::stdin().lock(), take)?.context("cannot read standard input")
}

/// The outer error is that of `take`, the inner one that of the input.
fn pass_input(
    input: &mut dyn Read,
    take: &mut dyn FnMut(&[u8]) -> Result<(), Problem>,
) -> Result<io::Result<()>, Problem> {
    let mut piece = vec![0; PIECE];
    loop {
        match input.read(&mut piece) {
            Ok(0) => return Ok(Ok(())),
            Ok(length) => take(&piece[..length])?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Ok(Err(error)),
        }
    }
}

fn too_large() -> Problem {
    Problem::usage("with --object, the log may have 512 MB, and it is larger")
        .help("its end is what counts: tail -c 100M FILE | cargo xtask explain - --object OBJECT")
        .help("without --object, it may have any size: cargo xtask explain FILE")
}

fn unreadable(file: &Path, error: &io::Error) -> Problem {
    let name = clean_text(file.as_os_str().as_encoded_bytes(), false).into_owned();
    Problem::usage(format!("cannot read '{name}': {error}"))
        .help("a log from standard input: cargo xtask explain -")
        .help("a class of errors without a log: cargo xtask explain --code all")
}
