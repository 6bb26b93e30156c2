//! How a user-space program is judged.

use std::path::Path;

use anyhow::{Result, ensure};
use plan::judge::{LEAVES_NOTHING, LOADED, STARTS, Said};

use crate::check::{Check, Say, check_names, failed_check};
use crate::user_program::{UserProgram, loaded_program_names, wait_until_unloaded};
use crate::user_program_exercise::UserProgramExercise;

/// Bytes that the kernel keeps of a program's name.
const NAME: usize = 15;

/// What the last line of a verifier log has.
const LOG_END: &str = " insns (limit ";

pub fn judge_user_program(
    exercise: &UserProgramExercise,
    path: &Path,
    object: &Path,
    say: Say<'_>,
) -> Result<()> {
    let mut names = check_names(&[STARTS, LOADED], exercise.checks);
    names.push(LEAVES_NOTHING.to_owned());
    say(&Said::Checks(names))?;
    let mut answer = UserProgram::new(path, object, (exercise.arguments)());
    if let Err(error) = answer.start_answer() {
        return say(&failed_start(&error));
    }
    say(&Said::Passed)?;
    if let Err(error) = find_programs(exercise.programs) {
        return say(&failed_check(&error));
    }
    say(&Said::Passed)?;
    let last = Check {
        says: LEAVES_NOTHING,
        holds: leaves_nothing,
    };
    for check in exercise.checks.iter().chain([&last]) {
        match (check.holds)(&mut answer) {
            Ok(()) => say(&Said::Passed)?,
            Err(error) => return say(&failed_check(&error)),
        }
    }
    Ok(())
}

/// What the verifier said, if the answer printed that.
fn failed_start(error: &anyhow::Error) -> Said {
    let text = format!("{error:#}");
    if !text.contains(LOG_END) {
        return failed_check(error);
    }
    Said::Rejected {
        program: String::new(),
        error: "the verifier rejected the eBPF program".to_owned(),
        log: plan::log::shorten_log(&text),
        note: None,
    }
}

fn find_programs(expected: &[&str]) -> Result<()> {
    let found = loaded_program_names()?;
    ensure!(!found.is_empty(), "no eBPF program is in the kernel");
    for name in expected {
        ensure!(
            found
                .iter()
                .any(|found| *found == name[..name.len().min(NAME)]),
            "no eBPF program in the kernel is called {name}; there is {}",
            found.join(", ")
        );
    }
    Ok(())
}

fn leaves_nothing(answer: &mut UserProgram) -> Result<()> {
    answer.end_answer()?;
    wait_until_unloaded()
}
