//! Runs test binaries, some side by side, the longest first.

use std::path::PathBuf;
use std::process::Command;
use std::sync::Mutex;

use anyhow::Result;
use checkout::{environment, toolchain, workspace};

use crate::commands::test::cargo_build::{PackageProgram, TestBinary};
use crate::commands::test::part::{PartResult, read_log, run_logged_part, show_logged_result};
use crate::commands::test::records::Records;
use crate::pipeline::memory::DEFAULT_MIB;
use crate::pipeline::parallel;

/// These take most of the time, the first one the most: begun last, one of them would run alone at
/// the end.
const LONGEST: [&str; 21] = [
    "xtask/exercises",
    "xtask/resume",
    "xtask/gallery",
    "xtask/transcripts",
    "xtask/new_project",
    "xtask/learner",
    "xtask/lesson_10",
    "xtask/judge_guest",
    "xtask/lesson_03",
    "xtask/lesson_05",
    "xtask/lesson_06",
    "xtask/cost",
    "xtask/attach",
    "xtask/verify",
    "xtask/lesson_09",
    "xtask/command",
    "xtask/setup_faults",
    "xtask/lesson_02",
    "xtask/lesson_08",
    "xtask/loader",
    "xtask/where_name",
];

/// What all binaries of a step have in common.
pub struct TestRun<'a> {
    pub arguments: &'a [&'a str],
    pub records: &'a Records,
    /// Where what each binary printed is kept.
    pub logs: PathBuf,
    /// What the tests may start.
    pub programs: &'a [PackageProgram],
}

impl TestRun<'_> {
    /// Runs all of them, whatever fails.
    pub fn run_binaries(&self, mut binaries: Vec<TestBinary>) -> Result<Vec<PartResult>> {
        binaries.sort_by_key(|binary| rank_of(&binary.name));
        let screen = Mutex::new(());
        // Many tests wait, for a time limit or for an idle kernel: with only one more than there
        // are cores, these had nothing to do for a tenth of the time.
        let jobs = parallel::as_many_as_fit_beside(DEFAULT_MIB, 2);
        parallel::run_side_by_side(binaries.len(), Some(jobs), |number| {
            let result = self.run_binary(&binaries[number])?;
            let _one_at_a_time = screen.lock();
            self.show_result(&result)?;
            Ok(result)
        })
    }

    fn run_binary(&self, binary: &TestBinary) -> Result<PartResult> {
        let log = self.log_path(&binary.name);
        run_logged_part(&binary.name, self.test_command(binary), &log, self.records)
    }

    /// As `cargo test` would start it.
    fn test_command(&self, binary: &TestBinary) -> Command {
        let mut command = Command::new(&binary.program);
        environment::clean_environment(&mut command);
        command
            .args(self.arguments)
            .current_dir(&binary.directory)
            .env("CARGO", toolchain::cargo_program())
            .env("CARGO_MANIFEST_DIR", &binary.directory)
            .env("INSTA_WORKSPACE_ROOT", workspace::workspace_root())
            // A snapshot that differs is a failure; it is never rewritten here.
            .env("INSTA_UPDATE", "no");
        for program in self.programs {
            if program.directory == binary.directory {
                command.env(format!("CARGO_BIN_EXE_{}", program.name), &program.file);
            }
        }
        command
    }

    fn show_result(&self, result: &PartResult) -> Result<()> {
        let printed = read_log(&self.log_path(&result.name))?;
        let verdict = last_verdict(&printed).unwrap_or("ended without a result");
        show_logged_result(result, &format!("{}: {verdict}", result.name), &printed);
        Ok(())
    }

    fn log_path(&self, name: &str) -> PathBuf {
        self.logs.join(format!("{}.txt", name.replace('/', "-")))
    }
}

/// "12 passed; 0 failed; 3 ignored": how the test harness ends its output.
fn last_verdict(text: &str) -> Option<&str> {
    let line = text
        .lines()
        .rev()
        .find_map(|line| line.strip_prefix("test result: "))?;
    let (_, counts) = line.split_once(". ")?;
    Some(counts.split("; 0 measured").next().unwrap_or(counts))
}

fn rank_of(name: &str) -> usize {
    let found = LONGEST.iter().position(|it| *it == name);
    found.unwrap_or(LONGEST.len())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_takes_long_is_begun_first() {
        for name in LONGEST {
            let (_, name) = name.split_once('/').unwrap();
            let file = Path::new("tests").join(name).with_extension("rs");
            assert!(file.is_file(), "{}", file.display());
        }
        assert!(rank_of("xtask/exercises") < rank_of("xtask/gallery"));
        assert!(rank_of("xtask/gallery") < rank_of("xtask/picture"));
    }

    #[test]
    fn the_harness_says_how_it_ended() {
        let text = "running 1 test\n\ntest result: ok. 2 passed; 0 failed; 3 ignored; 0 measured; \
                    0 filtered out; finished in 0.01s\n";
        assert_eq!(last_verdict(text), Some("2 passed; 0 failed; 3 ignored"));
        assert_eq!(last_verdict("killed"), None);
    }
}
