//! Programs that go on while the next steps run.

use std::process::Command;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Result, anyhow};

use crate::commands::test::part::{PartResult, read_log, run_logged_part, show_logged_result};
use crate::commands::test::records::Records;
use crate::commands::test::steps::TestStep;

/// A part of a step that was begun, and is waited for at the end.
pub struct RunningBeside<'scope> {
    step: TestStep,
    part: ScopedJoinHandle<'scope, Result<(Duration, PartResult)>>,
}

impl<'scope> RunningBeside<'scope> {
    /// `step_begin` is when its step was begun.
    pub fn start(
        step: TestStep,
        step_begin: Instant,
        name: &'static str,
        program: Command,
        records: &'scope Records,
        scope: &'scope Scope<'scope, '_>,
    ) -> Self {
        let log = step.log_directory().join(format!("{name}.txt"));
        // A program ends with the thread that started it: this one waits for it.
        let part = scope.spawn(move || {
            let result = run_logged_part(name, program, &log, records)?;
            show_logged_result(
                &result,
                &format!("{} {name}", step.name()),
                &read_log(&log)?,
            );
            Ok((step_begin.elapsed(), result))
        });
        Self { step, part }
    }

    /// Its step, the time from the begin of that to the end of this part, and the part.
    pub fn wait_for_result(self) -> Result<(TestStep, Duration, PartResult)> {
        let part = self.part.join();
        let part = part.map_err(|_| anyhow!("a thread of the test command panicked"))?;
        let (wall_time, part) = part?;
        Ok((self.step, wall_time, part))
    }
}
