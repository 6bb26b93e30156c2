//! Programs that go on while the next steps run.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;
use std::thread::{Scope, ScopedJoinHandle};

use anyhow::{Context as _, Result, anyhow};

use crate::commands::test::part::{PartResult, run_part};
use crate::commands::test::records::Records;
use crate::commands::test::steps::TestStep;
use crate::output::screen::{self, Mark};

/// A part of a step that was begun, and is waited for at the end.
pub struct RunningBeside<'scope> {
    step: TestStep,
    part: ScopedJoinHandle<'scope, Result<PartResult>>,
}

impl<'scope> RunningBeside<'scope> {
    pub fn start(
        step: TestStep,
        name: &'static str,
        mut program: Command,
        records: &'scope Records,
        scope: &'scope Scope<'scope, '_>,
    ) -> Result<Self> {
        let logs = step.log_directory();
        fs::create_dir_all(&logs).with_context(|| format!("cannot create {}", logs.display()))?;
        let log = logs.join(format!("{name}.txt"));
        let output =
            File::create(&log).with_context(|| format!("cannot create {}", log.display()))?;
        program
            .stderr(output.try_clone().context("cannot share a log file")?)
            .stdout(output);
        // A program ends with the thread that started it: this one waits for it.
        let part = scope.spawn(move || {
            let result = run_part(name, program, records)?;
            show_result(step, &result, log)?;
            Ok(result)
        });
        Ok(Self { step, part })
    }

    pub fn wait_for_result(self) -> Result<(TestStep, PartResult)> {
        let part = self.part.join();
        let part = part.map_err(|_| anyhow!("a thread of the test command panicked"))?;
        Ok((self.step, part?))
    }
}

/// As soon as it has ended. All that it printed follows if it failed.
fn show_result(step: TestStep, result: &PartResult, log: PathBuf) -> Result<()> {
    let mark = if result.passed { Mark::Good } else { Mark::Bad };
    let time = screen::format_seconds(result.cost.wall_time);
    screen::show_marked(mark, &format!("{} {}: {time}", step.name(), result.name));
    if !result.passed {
        let text = fs::read(&log).with_context(|| format!("cannot read {}", log.display()))?;
        screen::pass_on_errors(&text);
    }
    Ok(())
}
