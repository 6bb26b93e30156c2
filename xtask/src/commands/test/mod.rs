//! `test`: everything that CI runs, step by step.
//!
//! ```text
//!   steps        the steps, and the programs of each
//!   cargo_build  cargo that compiles, and what
//!   lint         Clippy, upon what the tests are built upon
//!   part         a program of a step, or a test binary, run to its end
//!   beside       programs that go on while the next steps run
//!   test_queue   test binaries, some side by side
//!   records      what tests and VMs tell through files
//!   cost         what a part cost
//!   table        all of it for people, and as JSON
//! ```

mod beside;
mod cargo_build;
mod cost;
mod lint;
mod part;
mod records;
mod steps;
mod table;
mod test_queue;

use std::io;
use std::process::Command;
use std::thread::{self, Scope};
use std::time::Instant;

use anyhow::{Context as _, Result};
use clap::ValueEnum as _;
use kernel::{Architecture, MATRIX};
use problem::Exit;
use requirements::kernels::deviation_from_lock;
use requirements::{Browser, CargoDeny, GuestTools};

pub use self::steps::TestStep;
#[cfg(test)]
pub use self::table::json_sample;
use crate::commands::test::beside::RunningBeside;
use crate::commands::test::cargo_build::Built;
use crate::commands::test::part::{PartResult, run_part};
use crate::commands::test::records::Records;
use crate::commands::test::steps::StepPart;
use crate::commands::test::table::StepResult;
use crate::commands::test::test_queue::TestRun;
use crate::output::screen::{self, Mark};
use crate::pipeline::needs;
use crate::pipeline::selection::Selection;

/// What to test.
pub struct TestOptions {
    /// Without any, all of them.
    pub steps: Vec<TestStep>,
    /// Whether a skipped test is a failure.
    pub no_skips: bool,
    /// Whether the steps after one that failed run too.
    pub keep_going: bool,
    pub json: bool,
}

pub fn run_tests(options: &TestOptions) -> Result<Exit> {
    let steps = match options.steps.as_slice() {
        [] => TestStep::value_variants(),
        steps => steps,
    };
    prepare(steps)?;
    let records = Records::create()?;
    let begin = Instant::now();
    let results = thread::scope(|scope| run_steps(steps, options.keep_going, &records, scope))?;
    let skips = records.read_skips()?;
    let answer = match options.json {
        true => table::write_json(&results)?,
        false => table::write_table(&results, begin.elapsed(), &skips),
    };
    screen::write_verdict(&answer)?;
    Ok(conclude(&results, &steps[results.len()..], &skips, options))
}

fn prepare(steps: &[TestStep]) -> Result<()> {
    let mut needs = Vec::new();
    if steps.iter().any(|step| step.builds_lessons()) {
        needs.extend(needs::BUILD_NEEDS);
    }
    if steps.contains(&TestStep::Dependencies) {
        needs.push(&CargoDeny);
    }
    if steps.contains(&TestStep::Vm) {
        needs.extend(needs::VM_NEEDS);
        needs.extend(Selection::all().kernel_needs());
        needs.push(&GuestTools::HOST);
        needs.extend(needs::vm_needs(Architecture::Arm64));
        needs.extend(needs::build_needs(Architecture::Arm64));
        needs.extend(Selection::all_of_arm64().kernel_needs_on(Architecture::Arm64));
    }
    if steps.contains(&TestStep::Book) {
        needs.push(&Browser);
    }
    needs::ensure_needs(&needs)?;
    if steps.contains(&TestStep::Vm) {
        let deviation_of = |name| deviation_from_lock(name, Architecture::HOST);
        for deviation in MATRIX.into_iter().filter_map(deviation_of) {
            screen::show_note(&deviation);
        }
    }
    Ok(())
}

/// Each step in its turn; what goes on beside the others is waited for at the end.
fn run_steps<'scope>(
    steps: &[TestStep],
    keep_going: bool,
    records: &'scope Records,
    scope: &'scope Scope<'scope, '_>,
) -> Result<Vec<StepResult>> {
    let (mut results, mut beside) = (Vec::new(), Vec::new());
    for &step in steps {
        screen::show_marked(Mark::Note, &format!("test {}", step.name()));
        let result = run_step(step, records, scope, &mut beside)?;
        let passed = result.passed();
        results.push(result);
        if !passed && !keep_going {
            break;
        }
    }
    for running in beside {
        let (step, wall_time, part) = running.wait_for_result()?;
        let result = results.iter_mut().find(|result| result.step == step);
        let result = result.context("a part is of a step that ran")?;
        result.wall_time = result.wall_time.max(wall_time);
        result.parts.push(part);
    }
    Ok(results)
}

fn run_step<'scope>(
    step: TestStep,
    records: &'scope Records,
    scope: &'scope Scope<'scope, '_>,
    beside: &mut Vec<RunningBeside<'scope>>,
) -> Result<StepResult> {
    let begin = Instant::now();
    let mut parts = Vec::new();
    for part in steps::parts_of_step(step)? {
        match part {
            StepPart::Beside { name, program } => {
                let running = RunningBeside::start(step, begin, name, program, records, scope);
                beside.push(running);
            }
            StepPart::Build { name, cargo } => {
                parts.push(part_of_build(name, cargo_build::run_build(cargo)?));
            }
            StepPart::Program { name, mut program } => {
                // Standard output is for the table.
                program.stdout(io::stderr());
                parts.push(run_part(name, program, records)?);
            }
            StepPart::Tests { cargo, arguments } => {
                parts.extend(run_tests_of_step(step, cargo, arguments, records)?);
            }
        }
    }
    Ok(StepResult {
        step,
        wall_time: begin.elapsed(),
        parts,
    })
}

/// Builds the binaries, and runs them if all of them are there.
fn run_tests_of_step(
    step: TestStep,
    cargo: Command,
    arguments: &[&str],
    records: &Records,
) -> Result<Vec<PartResult>> {
    let mut built = cargo_build::run_build(cargo)?;
    let binaries = std::mem::take(&mut built.binaries);
    let programs = std::mem::take(&mut built.programs);
    let passed = built.passed;
    let mut results = vec![part_of_build("build", built)];
    if passed {
        let run = TestRun {
            arguments,
            records,
            logs: step.log_directory(),
            programs: &programs,
        };
        results.extend(run.run_binaries(binaries)?);
    }
    Ok(results)
}

fn part_of_build(name: &str, built: Built) -> PartResult {
    PartResult {
        name: name.to_owned(),
        passed: built.passed,
        cost: built.cost,
    }
}

fn conclude(
    results: &[StepResult],
    left_out: &[TestStep],
    skips: &[String],
    options: &TestOptions,
) -> Exit {
    let failed: Vec<_> = results.iter().filter(|result| !result.passed()).collect();
    if !failed.is_empty() {
        let again: Vec<_> = failed.iter().map(|result| result.step.name()).collect();
        screen::show_note(&format!(
            "again, only what failed: cargo xtask test {}",
            again.join(" ")
        ));
        if !left_out.is_empty() {
            let names: Vec<_> = left_out.iter().map(|step| step.name()).collect();
            screen::show_note(&format!(
                "not begun after that: {}; --keep-going runs them too",
                names.join(" ")
            ));
        }
        return Exit::NotYet;
    }
    if options.no_skips && !skips.is_empty() {
        screen::show_note("something was skipped, and --no-skips forbids that");
        return Exit::NotYet;
    }
    Exit::Done
}
