//! Cargo that compiles, and tells what.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Context as _, Result};
use processes::{Foreground, Interrupted};
use serde::Deserialize;

use crate::commands::test::cost::Cost;

/// What came of it.
#[derive(Default)]
pub struct Built {
    pub passed: bool,
    pub cost: Cost,
    pub binaries: Vec<TestBinary>,
    /// What the tests of these packages may start.
    pub programs: Vec<PackageProgram>,
}

/// A program of a package, which its tests find in `CARGO_BIN_EXE_` and its name.
#[derive(Debug, PartialEq)]
pub struct PackageProgram {
    pub name: String,
    pub file: PathBuf,
    pub directory: PathBuf,
}

/// A test binary that is ready to run.
#[derive(Debug, PartialEq)]
pub struct TestBinary {
    /// `plan` for the library of that name, `xtask/gallery` for a file in its `tests/`, and
    /// `judge-bin` for a program.
    pub name: String,
    pub program: PathBuf,
    /// Of the package: cargo starts tests there.
    pub directory: PathBuf,
}

/// A message of cargo's, as far as it matters here.
#[derive(Deserialize)]
struct Message {
    reason: String,
    target: Option<Target>,
    profile: Option<Profile>,
    manifest_path: Option<PathBuf>,
    executable: Option<PathBuf>,
    #[serde(default)]
    fresh: bool,
}

#[derive(Deserialize)]
struct Target {
    name: String,
    kind: Vec<String>,
}

#[derive(Deserialize)]
struct Profile {
    test: bool,
}

/// Makes cargo print what it compiles; warnings and errors stay readable, on standard error.
pub const MESSAGES: &str = "--message-format=json-render-diagnostics";

/// Runs a command of cargo's that has [`MESSAGES`].
pub fn run_build(mut cargo: Command) -> Result<Built> {
    cargo.stdout(Stdio::piped());
    let begin = Instant::now();
    let mut running = Foreground::start_command(cargo)?;
    let output = running.child.stdout.take().context("cargo has no output")?;
    let mut built = Built::default();
    for line in BufReader::new(output).lines() {
        let line = line.context("cannot read what cargo says")?;
        built
            .read_message(&line)
            .with_context(|| format!("cargo's message is not understood: {line}"))?;
    }
    let ended = running.wait_with_usage()?;
    if let Some(signal) = ended.signal {
        return Err(Interrupted(signal).into());
    }
    built.passed = ended.status.success();
    built.cost.wall_time = begin.elapsed();
    built.cost.cpu_time = ended.cpu_time;
    built.cost.peak_bytes = ended.peak_bytes;
    Ok(built)
}

impl Built {
    fn read_message(&mut self, line: &str) -> Result<()> {
        let message: Message = serde_json::from_str(line)?;
        if message.reason != "compiler-artifact" {
            return Ok(());
        }
        let target = message.target.context("an artifact has a target")?;
        if !message.fresh {
            self.cost.compiled.push(target.name.clone());
        }
        let Some(file) = message.executable else {
            return Ok(());
        };
        let manifest = message
            .manifest_path
            .context("an artifact has a manifest")?;
        let directory = manifest.parent().context("a manifest is in a directory")?;
        let directory = directory.to_owned();
        let is_program = target.kind.iter().any(|kind| kind == "bin");
        match message.profile.is_some_and(|profile| profile.test) {
            true => self.binaries.push(TestBinary {
                name: name_of_tests(&target.name, &directory, is_program),
                program: file,
                directory,
            }),
            false => self.programs.push(PackageProgram {
                name: target.name,
                file,
                directory,
            }),
        }
        Ok(())
    }
}

/// No two have the same: packages have files of the same name in `tests/`, and a program may have
/// the name of its library.
fn name_of_tests(target: &str, package: &Path, is_program: bool) -> String {
    let package = package.file_name().unwrap_or_default().to_string_lossy();
    if is_program {
        format!("{target}-bin")
    } else if package.replace('-', "_") == target {
        target.to_owned()
    } else {
        format!("{package}/{target}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn artifact(name: &str, kind: &str, is_test: bool, fresh: bool) -> String {
        format!(
            r#"{{"reason": "compiler-artifact", "manifest_path": "/a/{name}/Cargo.toml",
                "target": {{"name": "{name}", "kind": ["{kind}"]}},
                "profile": {{"test": {is_test}}},
                "executable": "/a/deps/{name}", "fresh": {fresh}}}"#
        )
    }

    #[test]
    fn no_two_test_binaries_share_a_name() {
        let name = |target, package| name_of_tests(target, Path::new(package), false);
        assert_eq!(
            name("forbidden_calls", "/a/forbidden-calls"),
            "forbidden_calls"
        );
        assert_eq!(name("forbidden_calls", "/a/xtask"), "xtask/forbidden_calls");
        assert_eq!(
            name_of_tests("xtask", Path::new("/a/xtask"), true),
            "xtask-bin"
        );
    }

    #[test]
    fn tests_programs_and_what_was_compiled_are_told_apart() {
        let mut built = Built::default();
        for message in [
            artifact("plan", "lib", true, false),
            artifact("judge", "bin", true, true),
            artifact("judge", "bin", false, true),
            r#"{"reason": "build-finished", "success": true}"#.to_owned(),
        ] {
            built.read_message(&message).unwrap();
        }
        assert_eq!(built.cost.compiled, ["plan"]);
        let names: Vec<_> = built.binaries.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names, ["plan", "judge-bin"]);
        assert_eq!(built.binaries[0].directory, Path::new("/a/plan"));
        let files: Vec<_> = built.programs.iter().map(|it| it.file.as_path()).collect();
        assert_eq!(files, [Path::new("/a/deps/judge")]);
    }
}
