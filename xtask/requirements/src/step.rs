//! What set-up says about a step of its work: a line when it starts, one when it is done, and
//! between them how far it is.

use std::time::Instant;

use crate::reporter::Reporter;

pub struct SetupStep {
    name: String,
    started: Instant,
    reporter: &'static dyn Reporter,
}

impl SetupStep {
    /// [`SetupSite::start_step`](crate::site::SetupSite::start_step) starts one.
    pub fn start(reporter: &'static dyn Reporter, name: &str, what: &str) -> Self {
        let step = Self {
            name: name.to_owned(),
            started: Instant::now(),
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

    pub fn report_done(self, text: &str) {
        self.reporter.clear_status();
        let seconds = self.started.elapsed().as_secs_f64();
        self.reporter
            .done(&format!("{}: {text}, {seconds:.1} s", self.name));
    }
}

pub fn format_megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
