//! `test`: everything that CI runs, step by step.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::Result;
use clap::ValueEnum;
use course::catalog::{self, Place};
use course::{Implementation, exercises};
use problem::Exit;
use processes::{Foreground, Interrupted};
use requirements::{Browser, GuestTools};

use crate::output::screen::{self, Mark};
use crate::pipeline::selection::Selection;
use crate::pipeline::{build, needs};

/// The steps, cheapest first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum Step {
    /// The code is formatted
    Fmt,
    /// Clippy has no warning about what runs on the host
    Clippy,
    /// Clippy has no warning about the kernel sides in Rust
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
    step: Step,
    passed: bool,
    took: Duration,
}

pub fn run_tests(steps: &[Step]) -> Result<Exit> {
    let steps = if steps.is_empty() {
        Step::value_variants()
    } else {
        steps
    };
    prepare(steps)?;
    let mut verdicts = Vec::new();
    for &step in steps {
        screen::say(Mark::Note, &format!("test {}", name(step)));
        let begin = Instant::now();
        let mut passed = true;
        for command in commands(step)? {
            let (status, signal) = Foreground::start(command)?.wait()?;
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
    conclude(&verdicts)
}

fn prepare(steps: &[Step]) -> Result<()> {
    if steps.iter().all(|step| *step == Step::Fmt) {
        return Ok(());
    }
    let mut needs = needs::BUILD_NEEDS.to_vec();
    if steps.contains(&Step::Vm) {
        needs.extend(needs::VM_NEEDS);
        needs.extend(Selection::All.needs());
        needs.push(&GuestTools);
    }
    if steps.contains(&Step::Book) {
        needs.push(&Browser);
    }
    needs::ensure_needs(&needs)
}

fn commands(step: Step) -> Result<Vec<Command>> {
    Ok(match step {
        Step::Fmt => vec![cargo(&["fmt", "--all", "--check"])],
        Step::Clippy => {
            let solutions = clippy_solutions(Place::Here)?;
            vec![
                cargo(&["clippy", "--all-targets", "--", "--deny", "warnings"]),
                solutions,
            ]
        }
        Step::ClippyEbpf => {
            let mut commands: Vec<Command> = catalog::read_lessons()?
                .iter()
                .map(|lesson| clippy_ebpf(&lesson.name))
                .collect();
            let mut solutions = clippy_solutions(Place::Kernel)?;
            solutions.env("RUSTC_BOOTSTRAP", "1");
            commands.push(solutions);
            commands
        }
        Step::Unit => vec![cargo(&["test", "--no-fail-fast"])],
        Step::Book => vec![book("check"), book("test")],
        // One VM keeps one core busy.
        Step::Vm => {
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
fn clippy_solutions(place: Place) -> Result<Command> {
    let mut arguments = vec!["clippy".to_owned()];
    for exercise in exercises::read_exercises()? {
        if exercise.about.place == place
            && exercise
                .implementations()
                .any(|it| it == Implementation::Aya)
        {
            let package = exercise.package();
            let solution = format!("{package}-solution");
            arguments.extend(["--package".into(), package, "--bin".into(), solution]);
        }
    }
    if place == Place::Kernel {
        arguments
            .extend(["--target", "bpfel-unknown-none", "-Z", "build-std=core"].map(String::from));
    }
    arguments.extend(["--", "--deny", "warnings"].map(String::from));
    Ok(cargo(
        &arguments.iter().map(String::as_str).collect::<Vec<_>>(),
    ))
}

fn conclude(verdicts: &[Verdict]) -> Result<Exit> {
    let mut table = String::from("\nstep         result  time\n");
    for Verdict { step, passed, took } in verdicts {
        let result = if *passed { "ok" } else { "FAILED" };
        table += &format!(
            "{:<12} {result:<7} {:.1} s\n",
            name(*step),
            took.as_secs_f64()
        );
    }
    let failed: Vec<_> = verdicts
        .iter()
        .filter(|verdict| !verdict.passed)
        .map(|verdict| name(verdict.step))
        .collect();
    table += &format!(
        "{} passed, {} failed\n",
        verdicts.len() - failed.len(),
        failed.len()
    );
    screen::verdict(table.as_bytes())?;
    if failed.is_empty() {
        return Ok(Exit::Done);
    }
    screen::note(&format!(
        "again, only what failed: cargo xtask test {}",
        failed.join(" ")
    ));
    Ok(Exit::NotYet)
}

fn name(step: Step) -> String {
    step.to_possible_value()
        .map(|value| value.get_name().to_owned())
        .unwrap_or_default()
}
