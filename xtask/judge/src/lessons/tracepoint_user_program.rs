//! Lesson 03, the exercises of user-space programs.

use std::path::Path;

use anyhow::{Context as _, Result, ensure};

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::work::{self, ShortProgram};

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "03/one-user-only",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: any_user,
        programs: &["on_exec"],
        checks: &[
            Check {
                says: "counts what the user executes that it is told",
                holds: watched_user,
            },
            Check {
                says: "counts nothing that others execute",
                holds: other_users,
            },
            Check {
                says: "watches another user when it is started for that one",
                holds: another_user,
            },
        ],
    }),
}];

/// The id of no user that the VM has.
fn any_user() -> Vec<String> {
    vec![fastrand::u32(1000..60_000).to_string()]
}

fn watched_user(answer: &mut UserProgram) -> Result<()> {
    let user = user(answer)?;
    expect_counted(answer, user, true)
}

fn other_users(answer: &mut UserProgram) -> Result<()> {
    let user = user(answer)?;
    expect_counted(answer, user + 1, false)?;
    expect_counted(answer, 0, false)
}

fn another_user(answer: &mut UserProgram) -> Result<()> {
    let before = user(answer)?;
    answer.start_again(vec![(before + 1).to_string()])?;
    watched_user(answer)?;
    expect_counted(answer, before, false)
}

fn user(answer: &UserProgram) -> Result<u32> {
    answer.arguments[0].parse().context("read a user's id")
}

/// This user executes programs, which the answer should count or not.
fn expect_counted(answer: &mut UserProgram, user: u32, counts: bool) -> Result<()> {
    let before = count(answer)?;
    let program = ShortProgram::new(&Path::new("/tmp").join(work::any_name()))?;
    let times = fastrand::u64(2..6);
    for _ in 0..times {
        program.execute_by(user)?;
    }
    let after = count(answer)?;
    let expected = if counts { before + times } else { before };
    ensure!(
        after == expected,
        "it watches user {}, and user {user} executed {times} programs; expected `count` to go \
         from {before} to {expected}, found {after}",
        answer.arguments[0]
    );
    let again = count(answer)?;
    ensure!(
        again == after,
        "`count` printed {after}, and then {again}, and nothing was executed in between: it should \
         count from the start on"
    );
    Ok(())
}

fn count(answer: &mut UserProgram) -> Result<u64> {
    let lines = answer.tell("count")?;
    let number = match &lines[..] {
        [line] => line.parse().ok(),
        _ => None,
    };
    number.with_context(|| {
        format!(
            "after `count` it should print one number, and it printed `{}`",
            lines.join("`, `")
        )
    })
}
