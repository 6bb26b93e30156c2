//! A lesson's build that goes on while its VM gets ready, and while the program of an earlier build
//! is tried there.
//!
//! Nearly always cargo finds that nothing has changed, after a fifth of a second. So the VM begins
//! with what is there, and what it prints is held back until cargo has said that this is right.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};
use course::catalog::Lesson;
use kernel::Architecture;
use testvm::Programs;

use crate::pipeline::{build, demo};

pub struct PendingBuild<'scope> {
    state: Mutex<State<'scope>>,
}

enum State<'scope> {
    Running(ScopedJoinHandle<'scope, Result<BuiltLesson>>),
    Built(BuiltLesson),
    /// Whoever asked first was told why.
    Failed,
}

/// A lesson's program, as cargo says that it is right.
#[derive(Clone)]
pub struct BuiltLesson {
    pub program: PathBuf,
    /// How long cargo took.
    pub took: Duration,
}

/// The program that was tried is not the one that cargo has built.
#[derive(Debug)]
pub struct Outdated;

impl fmt::Display for Outdated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program was built again while it ran")
    }
}

impl std::error::Error for Outdated {}

impl<'scope> PendingBuild<'scope> {
    pub fn start_build<'env>(
        scope: &'scope Scope<'scope, 'env>,
        lesson: &'env Lesson,
        architecture: Architecture,
    ) -> Self {
        let begin = Instant::now();
        let thread = scope.spawn(move || {
            let program = build::build_lesson(lesson, architecture)?;
            testvm::timeline::note_moment("built");
            let took = begin.elapsed();
            Ok(BuiltLesson { program, took })
        });
        Self {
            state: Mutex::new(State::Running(thread)),
        }
    }

    /// What cargo built, once it has ended.
    pub fn wait_for_lesson(&self) -> Result<BuiltLesson> {
        let mut state = self.lock();
        if let State::Running(_) = *state
            && let State::Running(thread) = std::mem::replace(&mut *state, State::Failed)
        {
            let built = thread.join();
            let built =
                built.map_err(|_| anyhow!("the thread that built the lesson panicked"))??;
            *state = State::Built(built);
        }
        match &*state {
            State::Built(built) => Ok(built.clone()),
            State::Failed | State::Running(_) => Err(anyhow!("the lesson was not built")),
        }
    }

    /// Waits for cargo. It is an error if these programs are not what it has built.
    pub fn prove_programs(&self, tried: &Programs) -> Result<()> {
        let built = self.wait_for_lesson()?;
        // All bytes, with the libraries: times and sizes may stay the same.
        if demo::pack_programs(&[&built.program])? == *tried {
            Ok(())
        } else {
            Err(Outdated.into())
        }
    }

    /// The error of a build that nobody has been told of comes before another one.
    pub fn or_earlier_error(&self, error: anyhow::Error) -> anyhow::Error {
        if let State::Failed = *self.lock() {
            return error;
        }
        self.wait_for_lesson().err().unwrap_or(error)
    }

    fn lock(&self) -> MutexGuard<'_, State<'scope>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
