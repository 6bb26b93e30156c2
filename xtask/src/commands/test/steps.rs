//! The steps, and the programs that each of them runs.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use checkout::workspace;
use clap::ValueEnum;
use course::Implementation;
use course::catalog::{self, StepPlace};
use course::exercises::{self, Exercise, Variant};
use kernel::Architecture;
use requirements::cargo_deny;

use crate::commands::test::cargo_build::MESSAGES;
use crate::commands::test::lint::lint_cargo;
use crate::pipeline::{answer_build, build};

/// The steps, cheapest first.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub enum TestStep {
    /// The code is formatted
    Fmt,
    /// The dependencies have licences, sources and versions that `deny.toml` allows
    Dependencies,
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

impl TestStep {
    pub fn builds_lessons(self) -> bool {
        !matches!(self, TestStep::Fmt | TestStep::Dependencies)
    }

    /// Where what its tests and programs printed is kept.
    pub fn log_directory(self) -> PathBuf {
        workspace::target_directory()
            .join("tests")
            .join(self.name())
    }

    /// As it is typed.
    pub fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }
}

/// A part of a step.
pub enum StepPart {
    /// Cargo that compiles; it tells what.
    Build { name: &'static str, cargo: Command },
    /// A program that says by its exit code whether all is well.
    Program {
        name: &'static str,
        program: Command,
    },
    /// The same, which goes on while the next steps run: it waits more than it computes.
    Beside {
        name: &'static str,
        program: Command,
    },
    /// Tests: cargo builds them, then each binary runs with these arguments.
    Tests {
        cargo: Command,
        arguments: &'static [&'static str],
    },
}

pub fn parts_of_step(step: TestStep) -> Result<Vec<StepPart>> {
    Ok(match step {
        TestStep::Fmt => vec![run("rustfmt", cargo(&["fmt", "--all", "--check"]))],
        TestStep::Dependencies => vec![run("cargo-deny", check_dependencies())],
        TestStep::Clippy => {
            let host = lint("host", lint_cargo(&["--all-targets".to_owned()]));
            vec![host, clippy_host_solutions()?]
        }
        TestStep::ClippyEbpf => vec![clippy_lessons()?, clippy_ebpf_solutions()?],
        TestStep::Unit => vec![
            StepPart::Tests {
                cargo: compiling_cargo(&["test", "--no-run"]),
                arguments: &[],
            },
            run("doc", cargo(&["test", "--doc"])),
        ],
        TestStep::Book => vec![
            build("book", &["build", "--bin", "book"]),
            run("check", book(&["check"])),
            StepPart::Beside {
                name: "browser",
                program: book(&["test", "--built"]),
            },
        ],
        TestStep::Vm => vec![StepPart::Tests {
            // With no package named, what the unit step built is used: see `build::build_cargo`.
            cargo: compiling_cargo(&["test", "--no-run", "--test", "*"]),
            // One VM keeps one core busy; binaries run side by side.
            arguments: &["--ignored", "--test-threads=1"],
        }],
    })
}

fn run(name: &'static str, program: Command) -> StepPart {
    StepPart::Program { name, program }
}

fn build(name: &'static str, arguments: &[&str]) -> StepPart {
    StepPart::Build {
        name,
        cargo: compiling_cargo(arguments),
    }
}

fn lint(name: &'static str, cargo: Command) -> StepPart {
    StepPart::Build { name, cargo }
}

fn compiling_cargo(arguments: &[&str]) -> Command {
    let (verb, others) = arguments.split_at(1);
    cargo(&[verb, &[MESSAGES], others].concat())
}

fn cargo(arguments: &[&str]) -> Command {
    let mut command = build::inner_cargo();
    // A snapshot that differs is a failure; it is never rewritten here.
    command.args(arguments).env("INSTA_UPDATE", "no");
    command
}

fn book(arguments: &[&str]) -> Command {
    cargo(&[&["run", "--quiet", "--bin", "book", "--"], arguments].concat())
}

/// cargo-deny only warns of these.
const UNNEEDED: [&str; 3] = [
    "unmatched-skip",
    "license-not-encountered",
    "license-exception-not-encountered",
];

/// Advisories need a git repository, which a package registry does not have.
fn check_dependencies() -> Command {
    let mut command = Command::new(cargo_deny::program_path());
    checkout::environment::clean_environment(&mut command);
    command
        .current_dir(workspace::workspace_root())
        .args(["check", "licenses", "bans", "sources"])
        // What is listed in `deny.toml` and no longer needed.
        .args(UNNEEDED.iter().flat_map(|lint| ["--deny", lint]));
    command
}

/// One call: what they share is looked at once. With them, the new forms that the book shows.
fn clippy_lessons() -> Result<StepPart> {
    let mut arguments = vec!["--package".into(), "changes-ebpf".into()];
    for lesson in catalog::read_lessons()? {
        arguments.extend(["--package".to_owned(), format!("{}-ebpf", lesson.name)]);
    }
    Ok(clippy_for_kernel("lessons", arguments))
}

/// The answers that the course shows; what learners begin with may have warnings. With them, the
/// eBPF programs that exercises give.
fn clippy_ebpf_solutions() -> Result<StepPart> {
    let mut arguments = Vec::new();
    for exercise in exercises::read_exercises()? {
        let offers_rust = exercise
            .offered_implementations()
            .any(|it| it == Implementation::Aya);
        if let (true, Some(package)) = (offers_rust, exercise.ebpf_package()) {
            let solution = answer_build::program_binary(&exercise, Variant::Solution);
            arguments.extend(["--package".into(), package, "--bin".into(), solution]);
        }
    }
    Ok(clippy_for_kernel("solutions", arguments))
}

/// The answers in Rust that run on the host.
fn clippy_host_solutions() -> Result<StepPart> {
    let mut arguments = vec!["--workspace".to_owned()];
    for exercise in exercises::read_exercises()? {
        for solution in host_solutions(&exercise) {
            arguments.extend(["--bin".into(), solution]);
        }
    }
    Ok(lint("solutions", lint_cargo(&arguments)))
}

fn host_solutions(exercise: &Exercise) -> Vec<String> {
    if exercise.about.place == StepPlace::Here {
        return vec![answer_build::program_binary(exercise, Variant::Solution)];
    }
    if !exercise.has_user_program() {
        return Vec::new();
    }
    exercise
        .offered_implementations()
        .map(|it| answer_build::user_program_binary(exercise, it, Variant::Solution))
        .collect()
}

fn clippy_for_kernel(name: &'static str, mut arguments: Vec<String>) -> StepPart {
    let target = ["--target", "bpfel-unknown-none", "-Z", "build-std=core"];
    arguments.push("--release".to_owned());
    arguments.extend(target.map(String::from));
    let mut cargo = lint_cargo(&arguments);
    build::set_ebpf_environment(&mut cargo, Architecture::HOST);
    lint(name, cargo)
}
