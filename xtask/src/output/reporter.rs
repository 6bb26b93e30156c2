//! Set-up, as people see it.

use std::io::{IsTerminal, Write, stderr, stdin};

use anyhow::{Context, Result};
use requirements::Reporter;

use crate::output::screen::{self, Mark};

/// Shows what set-up does on standard error; on a terminal also how far it is.
pub struct ScreenReporter;

impl Reporter for ScreenReporter {
    fn begin(&self, text: &str) {
        screen::show_progress(text);
    }

    fn done(&self, text: &str) {
        screen::show_marked(Mark::Good, text);
    }

    fn note(&self, text: &str) {
        screen::show_note(text);
    }

    /// A log file or a pipe would only fill with it.
    fn show_status(&self, text: &str) {
        if stderr().is_terminal() {
            // Nobody reads it any more when standard error is closed; that is no reason to stop.
            let _ = write!(stderr(), "\r\x1b[K  {text}");
            let _ = stderr().flush();
        }
    }

    fn clear_status(&self) {
        if stderr().is_terminal() {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }

    fn is_interactive(&self) -> bool {
        screen::is_interactive()
    }

    fn confirm(&self, question: &str) -> Result<bool> {
        write!(stderr(), "{question} [y/N] ")
            .and_then(|()| stderr().flush())
            .context("cannot ask")?;
        let mut answer = String::new();
        stdin()
            .read_line(&mut answer)
            .context("cannot read the answer")?;
        let answer = answer.trim().to_ascii_lowercase();
        Ok(matches!(answer.as_str(), "y" | "yes"))
    }
}
