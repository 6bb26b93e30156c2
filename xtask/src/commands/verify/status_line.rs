//! How far a long verification has come, on a terminal.

use std::io::{IsTerminal as _, Write as _};
use std::sync::Mutex;

use super::kernel_name::KernelName;

/// A line that is written over again and again. Without a terminal there is none.
pub struct StatusLine {
    /// What was shown last; `None` without a terminal.
    shown: Option<Mutex<String>>,
}

impl StatusLine {
    pub fn new() -> Self {
        let terminal = std::io::stderr().is_terminal();
        Self {
            shown: terminal.then(Mutex::default),
        }
    }

    pub fn show_count(&self, kernel: &KernelName, verdicts: usize) {
        let text = format!("Linux {kernel}: {verdicts} verdicts");
        let Some(mut shown) = self.shown.as_ref().and_then(|shown| shown.lock().ok()) else {
            return;
        };
        if *shown != text {
            write(&text);
            *shown = text;
        }
    }

    /// What is printed next begins on an empty line.
    pub fn clear_line(&self) {
        if self.shown.is_some() {
            write("");
        }
    }
}

fn write(text: &str) {
    // When standard error is closed there is no one to tell.
    let _ = write!(std::io::stderr().lock(), "\r\x1b[2K{text}");
}
