//! What set-up says about a step of its work: a line when it starts, one when it is done, and
//! between them how far it is.

use std::cell::Cell;
use std::path::Path;
use std::time::Instant;

use crate::command;
use crate::reporter::Reporter;

pub struct SetupStep {
    name: String,
    started: Instant,
    /// Whether it was said that a program waits for another one.
    said_waiting: Cell<bool>,
    reporter: &'static dyn Reporter,
}

impl SetupStep {
    /// [`SetupSite::start_step`](crate::site::SetupSite::start_step) starts one.
    pub fn start(reporter: &'static dyn Reporter, name: &str, what: &str) -> Self {
        let step = Self {
            name: name.to_owned(),
            started: Instant::now(),
            said_waiting: Cell::new(false),
            reporter,
        };
        step.show_line(what);
        step
    }

    pub fn show_line(&self, text: &str) {
        self.reporter.clear_status();
        self.reporter.begin(&format!("{}: {text}", self.name));
    }

    /// How far it is.
    pub fn show_progress(&self, text: &str) {
        const WIDTH: usize = 60;
        let text: String = text.chars().take(WIDTH).collect();
        let seconds = self.started.elapsed().as_secs();
        self.reporter
            .show_status(&format!("{}: {text} ({seconds} s)", self.name));
    }

    /// What a program does now, told from the last line of its log. That it waits for a lock is
    /// said for everyone: it may take long.
    pub fn show_last_line(&self, log: &Path) {
        let line = command::read_last_line(log);
        if is_waiting(&line) && !self.said_waiting.replace(true) {
            self.show_line(&line);
        }
        self.show_progress(&line);
    }

    pub fn report_done(self, text: &str) {
        self.reporter.clear_status();
        let seconds = self.started.elapsed().as_secs_f64();
        self.reporter
            .done(&format!("{}: {text}, {seconds:.1} s", self.name));
    }
}

/// As apt and cargo say it. apt says who holds the lock.
fn is_waiting(line: &str) -> bool {
    ["Waiting for cache lock", "waiting for file lock"]
        .iter()
        .any(|words| line.contains(words))
}

pub fn format_megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
