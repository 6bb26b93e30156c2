//! How a program did on one kernel.

use std::io;
use std::time::Duration;

use anyhow::Result;
use kernel::{Architecture, Kernel};
use nix::sys::signal::Signal;
use plan::{OUT_OF_MEMORY, Outcome};
use problem::Exit;
use serde::Serialize;
use signal_hook::consts::SIGKILL;
use testvm::{Death, Stream};

use crate::output::ordered_output::Piece;
use crate::output::plain_text::clean_json;
use crate::output::row::{self, Failed};
use crate::output::screen::{Mark, format_seconds};

/// Bytes that a program may print. A serial line carries them in about a quarter of a minute.
pub const OUTPUT_LIMIT: u64 = 8 << 20;

/// What can be said of it, as far as it came.
pub struct Trial {
    kernel: String,
    architecture: Architecture,
    pub release: String,
    ending: Ending,
    /// `None`: the program exited with 0, and the kernel had nothing to say.
    failure: Option<Failed>,
    /// What is in the kernel still, although the program has ended.
    pub left_behind: Vec<String>,
    complaints: Vec<String>,
    /// Until the VM was ready.
    pub ready: Duration,
    /// Of the program.
    pub took: Duration,
    /// Kept for JSON only.
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

/// How it came to its end.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ending {
    Exited(i32),
    Killed(i32),
    TimedOut,
    Flooded,
    NotStarted,
    /// The guest's kernel did not survive it.
    Crashed,
    NotBooted,
}

impl Trial {
    pub fn new(kernel: &Kernel) -> Self {
        Self {
            kernel: kernel.name.clone(),
            architecture: kernel.architecture,
            release: kernel.release.clone(),
            ending: Ending::NotStarted,
            failure: None,
            left_behind: Vec::new(),
            complaints: Vec::new(),
            ready: Duration::ZERO,
            took: Duration::ZERO,
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }

    pub fn keep_output(&mut self, stream: Stream, bytes: &[u8]) {
        match stream {
            Stream::Stdout => self.stdout.extend_from_slice(bytes),
            Stream::Stderr => self.stderr.extend_from_slice(bytes),
        }
    }

    pub fn end_with_outcome(&mut self, outcome: &Outcome, seconds: u64) {
        let (ending, why) = match outcome {
            Outcome::Exited(0) => {
                self.ending = Ending::Exited(0);
                return;
            }
            Outcome::Exited(code) => (Ending::Exited(*code), format!("exit status {code}")),
            Outcome::Killed(signal) => (Ending::Killed(*signal), describe_signal(*signal)),
            Outcome::TimedOut => (
                Ending::TimedOut,
                format!("ended after {seconds} s, its time limit; --seconds sets another"),
            ),
            Outcome::Flooded => (
                Ending::Flooded,
                format!("ended after {} MiB of output", OUTPUT_LIMIT >> 20),
            ),
            Outcome::NotStarted(why) => (Ending::NotStarted, why.clone()),
        };
        self.ending = ending;
        self.failure = Some(Failed {
            why,
            exit: Exit::NotYet,
        });
    }

    pub fn end_with_death(&mut self, ending: Ending, death: &Death) {
        self.ending = ending;
        self.failure = Some(match ending {
            Ending::NotBooted => Failed {
                why: death.to_string(),
                exit: Exit::MachineNotReady,
            },
            _ => Failed::of_death(death),
        });
    }

    pub fn end_with_complaints(&mut self, complaints: Vec<String>) {
        let was_full = complaints.iter().any(|line| line.contains(OUT_OF_MEMORY));
        if was_full && self.ending == Ending::Killed(SIGKILL) {
            self.failure = Some(Failed {
                why: "the guest's memory was full, and its kernel ended the program; --memory \
                      gives it more"
                    .to_owned(),
                exit: Exit::NotYet,
            });
        }
        if !complaints.is_empty() && self.failure.is_none() {
            self.failure = Some(Failed {
                why: format!("the kernel complained: {}", complaints.join("; ")),
                exit: Exit::NotYet,
            });
        }
        self.complaints = complaints;
    }

    /// Only what a person should know: a program that succeeds is followed by nothing.
    pub fn show_end(&self, show: &dyn Fn(Piece) -> io::Result<()>) -> io::Result<()> {
        let kernel = self.architecture.label(&self.kernel);
        if !self.left_behind.is_empty() {
            let left = self.left_behind.join(", ");
            show(Piece::Line(
                Mark::Note,
                format!("on {kernel} it left behind: {left}"),
            ))?;
        }
        if let Some(Failed { why, .. }) = &self.failure {
            show(Piece::Line(Mark::Bad, format!("on {kernel}: {why}")))?;
        }
        Ok(())
    }

    /// A line.
    pub fn as_json(&self) -> Result<String> {
        let (exit_code, signal) = match self.ending {
            Ending::Exited(code) => (Some(code), None),
            Ending::Killed(signal) => (None, Some(signal)),
            _ => (None, None),
        };
        let line = TrialJson {
            kernel: &self.kernel,
            architecture: self.architecture,
            release: &self.release,
            outcome: self.ending.name(),
            exit_code,
            signal,
            error: self.failure.as_ref().map(|failed| failed.why.as_str()),
            stdout: String::from_utf8_lossy(&self.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&self.stderr).into_owned(),
            left_behind: &self.left_behind,
            kernel_warnings: &self.complaints,
            ready_seconds: self.ready.as_secs_f64(),
            seconds: self.took.as_secs_f64(),
        };
        Ok(clean_json(&serde_json::to_string(&line)?).into_owned() + "\n")
    }
}

impl Ending {
    fn name(self) -> &'static str {
        match self {
            Ending::Exited(_) => "exited",
            Ending::Killed(_) => "killed",
            Ending::TimedOut => "timed_out",
            Ending::Flooded => "flooded",
            Ending::NotStarted => "not_started",
            Ending::Crashed => "crashed",
            Ending::NotBooted => "not_booted",
        }
    }
}

/// A line of `try --json`; `try --help` tells the fields.
#[derive(Serialize)]
struct TrialJson<'a> {
    kernel: &'a str,
    architecture: Architecture,
    release: &'a str,
    outcome: &'static str,
    exit_code: Option<i32>,
    signal: Option<i32>,
    error: Option<&'a str>,
    stdout: String,
    stderr: String,
    left_behind: &'a [String],
    kernel_warnings: &'a [String],
    ready_seconds: f64,
    seconds: f64,
}

/// `ended by signal 11 (SIGSEGV)`; signals for real time have no names.
fn describe_signal(number: i32) -> String {
    match Signal::try_from(number) {
        Ok(signal) => format!("ended by signal {number} ({signal})"),
        Err(_) => format!("ended by signal {number}"),
    }
}

pub fn format_table(trials: &[Trial]) -> String {
    let mut table = String::from("\nkernel  result  VM     program");
    for trial in trials {
        let word = if trial.failure.is_none() {
            "ok"
        } else {
            "FAILED"
        };
        let (ready, took) = (format_seconds(trial.ready), format_seconds(trial.took));
        table += &format!("\n{:<7} {word:<7} {ready:<6} {took}", trial.kernel);
    }
    table
}

/// The exit status of a Rust test program with a test that failed.
const RUST_TEST_FAILED: i32 = 101;

pub fn worst_exit(trials: &[Trial]) -> Exit {
    let worst = row::worst_exit(trials.iter().filter_map(|trial| trial.failure.as_ref()));
    let mut answers = trials.iter().filter(|trial| {
        trial
            .failure
            .as_ref()
            .is_some_and(|it| it.exit == Exit::NotYet)
    });
    let is_failed_test = |trial: &Trial| trial.ending == Ending::Exited(RUST_TEST_FAILED);
    if worst == Exit::NotYet && answers.all(is_failed_test) {
        return Exit::TestFailed;
    }
    worst
}

#[cfg(test)]
pub fn json_sample() -> Result<String> {
    tests::trial(&Outcome::Exited(1)).as_json()
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;

    pub fn trial(outcome: &Outcome) -> Trial {
        let kernel = Kernel {
            name: "6.12".to_owned(),
            architecture: Architecture::HOST,
            release: "6.12.1".to_owned(),
            origin: String::new(),
            image: PathBuf::new(),
            modules: None,
            config: None,
        };
        let mut trial = Trial::new(&kernel);
        trial.ready = Duration::from_millis(250);
        trial.took = Duration::from_millis(40);
        trial.end_with_outcome(outcome, 60);
        trial
    }

    fn not_booted() -> Trial {
        let mut trial = trial(&Outcome::Exited(0));
        let death = Death {
            why: "the VM ended".to_owned(),
            qemu_failed: None,
            last_words: Vec::new(),
        };
        trial.end_with_death(Ending::NotBooted, &death);
        trial
    }

    #[test]
    fn the_programs_no_comes_first() {
        let exits = |code: i32| trial(&Outcome::Exited(code));
        assert_eq!(worst_exit(&[exits(0)]), Exit::Done);
        assert_eq!(worst_exit(&[exits(1), not_booted()]), Exit::NotYet);
        assert_eq!(worst_exit(&[not_booted(), exits(1)]), Exit::NotYet);
        assert_eq!(worst_exit(&[not_booted(), exits(0)]), Exit::MachineNotReady);
    }

    #[test]
    fn a_failed_test_is_one_for_cargo_unless_more_went_wrong() {
        let exits = |code: i32| trial(&Outcome::Exited(code));
        assert_eq!(worst_exit(&[exits(0), exits(101)]), Exit::TestFailed);
        assert_eq!(worst_exit(&[exits(101), not_booted()]), Exit::TestFailed);
        assert_eq!(worst_exit(&[exits(101), exits(1)]), Exit::NotYet);
        let killed = trial(&Outcome::Killed(11));
        assert_eq!(worst_exit(&[exits(101), killed]), Exit::NotYet);
        let mut warned = exits(0);
        warned.end_with_complaints(vec!["WARNING: it".to_owned()]);
        assert_eq!(worst_exit(&[exits(101), warned]), Exit::NotYet);
    }

    #[test]
    fn a_program_that_took_all_memory_is_told_so() {
        let mut killed = trial(&Outcome::Killed(9));
        killed.end_with_complaints(vec!["Out of memory: Killed process 77 (tail)".to_owned()]);
        let why = killed.failure.unwrap().why;
        assert!(why.contains("--memory"), "{why}");
    }

    #[test]
    fn a_line_of_json_has_all_of_it() {
        let mut failed = trial(&Outcome::Killed(11));
        failed.keep_output(Stream::Stdout, b"one\ntwo \xff\n");
        failed.keep_output(Stream::Stderr, b"no\n");
        failed.left_behind = vec!["link 1".to_owned()];
        failed.end_with_complaints(vec!["WARNING: it".to_owned()]);
        let lines = [
            trial(&Outcome::Exited(0)).as_json().unwrap(),
            failed.as_json().unwrap(),
            trial(&Outcome::TimedOut).as_json().unwrap(),
            not_booted().as_json().unwrap(),
        ];
        insta::assert_snapshot!(lines.concat());
    }
}
