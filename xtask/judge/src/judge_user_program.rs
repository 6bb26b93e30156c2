//! How a user-space program is judged.

use std::path::Path;

use anyhow::{Result, ensure};
use plan::judge::{LEAVES_NOTHING, LOADED, STARTS, Said};

use crate::check::{Check, Say, check_names};
use crate::loaded::loaded_program_names;
use crate::skipped_runs::run_unless_skipped;
use crate::user_program::{UserProgram, wait_until_unloaded};
use crate::user_program_exercise::UserProgramExercise;

/// Bytes that the kernel keeps of a program's name.
const NAME: usize = 15;

/// Characters that are shown of the start of a reason, and of its end.
const REASON: usize = 1000;

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
        return say(&failed_answer(&error));
    }
    say(&Said::Passed)?;
    let last = Check {
        says: LEAVES_NOTHING,
        holds: leaves_nothing,
    };
    for check in exercise.checks.iter().chain([&last]) {
        match run_unless_skipped(check, &mut answer, say) {
            Ok(()) => say(&Said::Passed)?,
            Err(error) => return say(&failed_answer(&error)),
        }
    }
    Ok(())
}

/// What the verifier said, if the answer printed that.
fn failed_start(error: &anyhow::Error) -> Said {
    let text = format!("{error:#}");
    if !text.contains(LOG_END) {
        return failed_answer(error);
    }
    Said::Rejected {
        program: String::new(),
        error: "the verifier rejected the eBPF program".to_owned(),
        log: plan::log::shorten_log(&text),
        note: None,
    }
}

/// The reason quotes what the answer printed, which may be anything.
fn failed_answer(error: &anyhow::Error) -> Said {
    Said::Failed {
        why: shorten_reason(&escape_controls(&format!("{error:#}"))),
    }
}

fn escape_controls(text: &str) -> String {
    let mut safe = String::new();
    for letter in text.chars() {
        if letter.is_control() && letter != '\n' {
            safe.extend(letter.escape_default());
        } else {
            safe.push(letter);
        }
    }
    safe
}

fn shorten_reason(text: &str) -> String {
    let length = text.chars().count();
    if length <= 2 * REASON {
        return text.to_owned();
    }
    let start: String = text.chars().take(REASON).collect();
    let end: String = text.chars().skip(length - REASON).collect();
    format!("{start} [...] {end}")
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

#[cfg(test)]
mod tests {
    use super::*;

    fn reason(error: String) -> String {
        match failed_answer(&anyhow::Error::msg(error)) {
            Said::Failed { why } => why,
            said => panic!("{said:?}"),
        }
    }

    #[test]
    fn what_a_program_prints_cannot_harm_the_terminal() {
        assert_eq!(reason("`\u{1b}[2J`\nwhy".to_owned()), "`\\u{1b}[2J`\nwhy");
    }

    #[test]
    fn a_long_reason_keeps_its_start_and_its_end() {
        let why = reason(format!("expected 1, found {} end", "2 ".repeat(5000)));
        assert!(
            why.starts_with("expected 1") && why.ends_with(" end"),
            "{why}"
        );
        assert!(why.chars().count() < 2100);
    }
}
