//! What set-up says while it works: a line when a step starts, one when it is done, and on a
//! terminal how far it is.

use std::io::{IsTerminal, Write, stderr};
use std::time::Instant;

use crate::screen::{self, Mark, seconds};

pub struct Step {
    name: String,
    started: Instant,
    live: bool,
}

impl Step {
    pub fn start(name: impl Into<String>, what: &str) -> Self {
        let step = Self {
            name: name.into(),
            started: Instant::now(),
            live: stderr().is_terminal(),
        };
        step.line(what);
        step
    }

    pub fn line(&self, text: &str) {
        self.wipe();
        screen::progress(&format!("{}: {text}", self.name));
    }

    /// How far it is, rewritten in place; a log file or a pipe would only fill with it.
    pub fn progress(&self, text: &str) {
        const WIDTH: usize = 60;
        if self.live {
            self.wipe();
            let text: String = text.chars().take(WIDTH).collect();
            // Nobody reads the progress any more when stderr is closed; that is no reason to stop.
            let _ = write!(
                stderr(),
                "  {}: {text} ({} s)",
                self.name,
                self.started.elapsed().as_secs()
            );
            let _ = stderr().flush();
        }
    }

    pub fn done(self, text: &str) {
        self.wipe();
        screen::say(
            Mark::Good,
            &format!("{}: {text}, {}", self.name, seconds(self.started.elapsed())),
        );
    }

    fn wipe(&self) {
        if self.live {
            let _ = write!(stderr(), "\r\x1b[K");
        }
    }
}

pub fn megabytes(bytes: u64) -> String {
    format!("{:.1} MB", bytes as f64 / 1e6)
}
