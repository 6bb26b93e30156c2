//! What people see: answers on standard output, everything else on standard error.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use crate::output::plain_text::{clean_json, clean_lines};

/// A mark is never alone: a word always says the same.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Mark {
    Good,
    Bad,
    Note,
    Next,
}

impl Mark {
    /// `✓`, `✗`, `•`, `→`, or their likes where the terminal cannot show them.
    pub fn symbol(self) -> &'static str {
        match (self, speaks_utf8()) {
            (Mark::Good, true) => "✓",
            (Mark::Bad, true) => "✗",
            (Mark::Note, true) => "•",
            (Mark::Next, true) => "→",
            (Mark::Good, false) => "+",
            (Mark::Bad, false) => "x",
            (Mark::Note, false) => "-",
            (Mark::Next, false) => ">",
        }
    }

    fn colour(self) -> &'static str {
        match self {
            Mark::Good => "\x1b[32m",
            Mark::Bad => "\x1b[31m",
            Mark::Note | Mark::Next => "\x1b[36m",
        }
    }
}

fn speaks_utf8() -> bool {
    let set = ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| std::env::var(name).ok());
    set.into_iter()
        .find(|value| !value.is_empty())
        .is_some_and(|value| {
            let value = value.to_ascii_lowercase();
            value.contains("utf-8") || value.contains("utf8")
        })
}

/// A line about the progress of the command.
pub fn show_marked(mark: Mark, text: &str) {
    let (colour, symbol) = (mark.colour(), mark.symbol());
    show_coloured(&format!("{colour}{symbol} {}\x1b[0m", clean_lines(text)));
}

/// A line about a part of the work that takes time.
pub fn show_progress(text: &str) {
    let symbol = Mark::Note.symbol();
    show_coloured(&format!("\x1b[2m{symbol} {}\x1b[0m", clean_lines(text)));
}

/// A line for people on standard error.
pub fn show_note(text: &str) {
    show_coloured(&clean_lines(text));
}

/// An error, or what to do about it.
pub fn show_labelled(label: Label, text: &str) {
    let label = match label {
        Label::Error => "\x1b[1;31merror\x1b[0m",
        Label::Help => "  \x1b[1mhelp\x1b[0m",
    };
    show_coloured(&format!("{label}: {}", clean_lines(text)));
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Label {
    Error,
    Help,
}

/// Colours go where they can be seen.
fn show_coloured(text: &str) {
    // When standard error is closed there is no one to tell.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// A part of the command's answer, with names and words of strangers in it.
pub fn write_text(text: &str) -> io::Result<()> {
    write_answer(clean_lines(text).as_bytes())
}

/// The same as JSON.
pub fn write_json(json: &str) -> io::Result<()> {
    write_answer(clean_json(json).as_bytes())
}

/// A part of the command's answer, as it is.
pub fn write_answer(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    // A learner watches the output come; a pipe's reader does too.
    stdout
        .write_all(bytes)
        .and_then(|()| stdout.flush())
        .map_err(|error| {
            io::Error::new(
                error.kind(),
                format!("cannot write to standard output: {error}"),
            )
        })
}

/// The end of an answer, after which an exit code says yes or no: it counts even if
/// nobody reads it.
pub fn write_verdict(text: &str) -> io::Result<()> {
    match write_text(text) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        result => result,
    }
}

/// What a program wrote to its standard error, as it is.
pub fn pass_on_errors(bytes: &[u8]) {
    // When standard error is closed there is no one to tell.
    let _ = anstream::stderr().lock().write_all(bytes);
}

/// A time as people read it.
pub fn format_seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

/// Whether all that is printed goes to a terminal that can move its cursor.
pub fn is_screen() -> bool {
    let can_move = std::env::var_os("TERM").is_some_and(|it| !it.is_empty() && it != "dumb");
    can_move && io::stdout().is_terminal() && io::stderr().is_terminal()
}

/// Clears the screen. What has scrolled out of it can still be scrolled back to.
pub fn clear_screen() -> io::Result<()> {
    write_answer(b"\x1b[H\x1b[2J")
}

/// Whether someone sits at the other end who could answer a question.
pub fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}
