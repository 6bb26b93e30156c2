//! `test`: everything that CI runs, step by step.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use clap::ValueEnum;
use course::catalog::{self, StepPlace};
use course::{Implementation, exercises};
use kernel::MATRIX;
use problem::Exit;
use processes::{Foreground, Interrupted};
use requirements::kernels::deviation_from_lock;
use requirements::{Browser, GuestTools};

use crate::output::screen::{self, Mark};
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, needs};

/// What to test.
pub struct TestOptions {
    /// Without any, all of them.
    pub steps: Vec<TestStep>,
    /// Whether a skipped test is a failure.
    pub no_skips: bool,
}

/// The steps, cheapest first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum TestStep {
    /// The code is formatted
    Fmt,
    /// Clippy has no warning about what runs on the host
    Clippy,
    /// Clippy has no warning about the eBPF programs in Rust
    ClippyEbpf,
    /// Unit tests and snapshots that need no VM
    Unit,
    /// The book is whole, and works in a real browser
    Book,
    /// Every lesson in both implementations on all kernels, and the runner's faults
    Vm,
}

/// What became of a step.
struct Verdict {
    step: TestStep,
    passed: bool,
    took: Duration,
}

/// Names the file to which tests append a line for each thing that they skip.
const SKIPS: &str = "XTASK_TEST_SKIPS";

pub fn run_tests(options: &TestOptions) -> Result<Exit> {
    let steps = match options.steps.as_slice() {
        [] => TestStep::value_variants(),
        steps => steps,
    };
    prepare(steps)?;
    let skips = tempfile::NamedTempFile::new().context("cannot create a temporary file")?;
    let mut verdicts = Vec::new();
    for &step in steps {
        screen::show_marked(Mark::Note, &format!("test {}", name(step)));
        let begin = Instant::now();
        let mut passed = true;
        for mut command in commands(step)? {
            command.env(SKIPS, skips.path());
            let (status, signal) = Foreground::start_command(command)?.wait_for_exit()?;
            if let Some(signal) = signal {
                return Err(Interrupted(signal).into());
            }
            passed &= status.success();
        }
        verdicts.push(Verdict {
            step,
            passed,
            took: begin.elapsed(),
        });
    }
    conclude(&verdicts, &read_skips(skips.path())?, options.no_skips)
}

/// What tests did not do, a line each, and why.
fn read_skips(file: &Path) -> Result<Vec<String>> {
    let text = fs::read_to_string(file)
        .with_context(|| format!("cannot read what was skipped from {}", file.display()))?;
    Ok(text.lines().map(str::to_owned).collect())
}

fn prepare(steps: &[TestStep]) -> Result<()> {
    if steps.iter().all(|step| *step == TestStep::Fmt) {
        return Ok(());
    }
    let mut needs = needs::BUILD_NEEDS.to_vec();
    if steps.contains(&TestStep::Vm) {
        needs.extend(needs::VM_NEEDS);
        needs.extend(Selection::All.kernel_needs());
        needs.push(&GuestTools);
    }
    if steps.contains(&TestStep::Book) {
        needs.push(&Browser);
    }
    needs::ensure_needs(&needs)?;
    if steps.contains(&TestStep::Vm) {
        for deviation in MATRIX.into_iter().filter_map(deviation_from_lock) {
            screen::show_note(&deviation);
        }
    }
    Ok(())
}

fn commands(step: TestStep) -> Result<Vec<Command>> {
    Ok(match step {
        TestStep::Fmt => vec![cargo(&["fmt", "--all", "--check"])],
        TestStep::Clippy => {
            let solutions = clippy_solutions(StepPlace::Here)?;
            vec![
                cargo(&["clippy", "--all-targets", "--", "--deny", "warnings"]),
                solutions,
            ]
        }
        TestStep::ClippyEbpf => {
            let mut commands: Vec<Command> = catalog::read_lessons()?
                .iter()
                .map(|lesson| clippy_ebpf(&lesson.name))
                .collect();
            let mut solutions = clippy_solutions(StepPlace::Kernel)?;
            solutions.env("RUSTC_BOOTSTRAP", "1");
            commands.push(solutions);
            commands
        }
        TestStep::Unit => vec![cargo(&["test", "--no-fail-fast"])],
        TestStep::Book => vec![book("check"), book("test")],
        // One VM keeps one core busy.
        TestStep::Vm => {
            vec![cargo(&[
                "test",
                "--package",
                "xtask",
                "--tests",
                "--no-fail-fast",
                "--",
                "--ignored",
                "--test-threads=2",
            ])]
        }
    })
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = build::inner_cargo();
    // A snapshot that differs is a failure; it is never rewritten here.
    command.args(arguments).env("INSTA_UPDATE", "no");
    command
}

fn book(what: &str) -> Command {
    cargo(&["run", "--quiet", "--package", "book", "--", what])
}

fn clippy_ebpf(lesson: &str) -> Command {
    let package = format!("{lesson}-ebpf");
    let target = ["--target", "bpfel-unknown-none", "-Z", "build-std=core"];
    let mut command = cargo(
        &[
            &["clippy", "--package", &package],
            &target[..],
            &["--", "--deny", "warnings"],
        ]
        .concat(),
    );
    command.env("RUSTC_BOOTSTRAP", "1");
    command
}

/// The answers that the course shows; what learners begin with may have warnings.
fn clippy_solutions(place: StepPlace) -> Result<Command> {
    let mut arguments = vec!["clippy".to_owned()];
    for exercise in exercises::read_exercises()? {
        if exercise.about.place == place
            && exercise
                .offered_implementations()
                .any(|it| it == Implementation::Aya)
        {
            let package = exercise.package_name();
            let solution = format!("{package}-solution");
            arguments.extend(["--package".into(), package, "--bin".into(), solution]);
        }
    }
    if place == StepPlace::Kernel {
        arguments
            .extend(["--target", "bpfel-unknown-none", "-Z", "build-std=core"].map(String::from));
    }
    arguments.extend(["--", "--deny", "warnings"].map(String::from));
    Ok(cargo(
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    ))
}

fn conclude(verdicts: &[Verdict], skips: &[String], no_skips: bool) -> Result<Exit> {
    screen::write_verdict(summarize(verdicts, skips).as_bytes())?;
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|verdict| !verdict.passed)
        .map(|verdict| name(verdict.step))
        .collect();
    if !failed.is_empty() {
        let failed = failed.join(" ");
        screen::show_note(&format!(
            "again, only what failed: cargo xtask test {failed}"
        ));
        return Ok(Exit::NotYet);
    }
    if no_skips && !skips.is_empty() {
        screen::show_note("something was skipped, and --no-skips forbids that");
        return Ok(Exit::NotYet);
    }
    Ok(Exit::Done)
}

fn summarize(verdicts: &[Verdict], skips: &[String]) -> String {
    let mut table = String::from("\nstep         result  time\n");
    for Verdict { step, passed, took } in verdicts {
        let result = if *passed { "ok" } else { "FAILED" };
        table += &format!(
            "{:<12} {result:<7} {:.1} s\n",
            name(*step),
            took.as_secs_f64()
        );
    }
    let failed = verdicts.iter().filter(|verdict| !verdict.passed).count();
    let passed = verdicts.len() - failed;
    table += &format!("{passed} passed, {failed} failed\n");
    if !skips.is_empty() {
        table += &format!("skipped: {}\n", skips.len());
    }
    for skip in skips {
        table += &format!("  {skip}\n");
    }
    table
}

fn name(step: TestStep) -> String {
    step.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_skipped_is_counted_and_named() {
        let passed = [Verdict {
            step: TestStep::Unit,
            passed: true,
            took: Duration::from_secs(1),
        }];
        let skips = ["logs on 6.12: recorded with another clang".to_owned()];
        let text = summarize(&passed, &skips);
        let end = "1 passed, 0 failed\nskipped: 1\n  logs on 6.12: recorded with another clang\n";
        assert!(text.ends_with(end), "{text}");
        assert!(!summarize(&passed, &[]).contains("skipped"));
    }
}
