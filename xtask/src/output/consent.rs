//! Asks before something is done that the user may not want.

use std::io::{self, BufRead as _};

use anyhow::{Context as _, Result};
use problem::Problem;

use crate::output::screen;

/// Asks a person. Where there is none, the flag decides.
pub fn ask_consent(question: &str, instead: &str) -> Result<()> {
    let declined = |what: &str| {
        Problem::usage(what.to_owned())
            .help("--yes does it without a question")
            .help(format!("instead: {instead}"))
    };
    if !screen::is_interactive() {
        return Err(declined(&format!("there is no terminal to ask on: {question}")).into());
    }
    screen::show_note(&format!("{question} [y/N]"));
    let mut line = String::new();
    io::stdin()
        .lock()
        .read_line(&mut line)
        .context("cannot read your answer")?;
    match line.trim() {
        "y" | "Y" | "yes" => Ok(()),
        _ => Err(declined("nothing was done").into()),
    }
}
