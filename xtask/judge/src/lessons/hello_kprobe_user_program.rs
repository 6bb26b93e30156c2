//! Lesson 01, the exercises of user-space programs.

use anyhow::{Context as _, Result, ensure};
use aya::maps::{Array, Map};

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::loaded::loaded_map;
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::work;

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "01/on-and-off",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: Vec::new,
        programs: &["on_remove"],
        checks: &[
            Check {
                says: "counts nothing before it is told `on`",
                holds: nothing_yet,
            },
            Check {
                says: "counts after `on`",
                holds: on,
            },
            Check {
                says: "counts nothing after `off`",
                holds: off,
            },
            Check {
                says: "can be told so again and again",
                holds: on_and_off,
            },
        ],
    }),
}];

fn nothing_yet(_answer: &mut UserProgram) -> Result<()> {
    count_removals(false)
}

fn on(answer: &mut UserProgram) -> Result<()> {
    answer.order("on")?;
    count_removals(true)
}

fn off(answer: &mut UserProgram) -> Result<()> {
    answer.order("off")?;
    count_removals(false)
}

fn on_and_off(answer: &mut UserProgram) -> Result<()> {
    for _ in 0..2 {
        on(answer)?;
        // Told twice, it must not count twice.
        on(answer)?;
        off(answer)?;
        off(answer)?;
    }
    Ok(())
}

/// Removes files, which the answer should count or not.
fn count_removals(counts: bool) -> Result<()> {
    let removed = |map: &Map| -> Result<u64> {
        let map = Array::<_, u64>::try_from(map).context("read the map REMOVED")?;
        map.get(&0, 0).context("read the map REMOVED")
    };
    let map = loaded_map("REMOVED")?;
    let before = removed(&map)?;
    let files = fastrand::u64(2..9);
    work::remove_files(files)?;
    let after = removed(&map)?;
    let expected = if counts { before + files } else { before };
    ensure!(
        after == expected,
        "{files} files were removed, and REMOVED went from {before} to {after}; expected {expected}"
    );
    Ok(())
}
