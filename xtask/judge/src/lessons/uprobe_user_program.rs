//! Lesson 08, the exercises of user-space programs.

use anyhow::{Context as _, Result, ensure};
use aya::maps::{HashMap, MapError};

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::loaded::loaded_map;
use crate::target_file::{RunningTarget, TargetFile};
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "08/chosen-processes",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: Vec::new,
        programs: &["on_call"],
        checks: &[
            Check {
                says: "counts the calls of a function in a process",
                holds: one_process,
            },
            Check {
                says: "counts no other process that runs the same file",
                holds: no_other_process,
            },
            Check {
                says: "watches some processes at once",
                holds: some_processes,
            },
            Check {
                says: "counts nothing of a process that it forgot",
                holds: forgotten_process,
            },
            Check {
                says: "forgets a process that has ended",
                holds: ended_process,
            },
        ],
    }),
}];

fn one_process(answer: &mut UserProgram) -> Result<()> {
    // Its functions are in other places than those of the next one.
    for index in [0, 1] {
        let file = TargetFile::make()?;
        let mut target = file.start()?;
        expect_counted(&mut target, &file, index, false)?;
        watch(answer, &target, &file.functions[index])?;
        expect_counted(&mut target, &file, index, true)?;
        expect_counted(&mut target, &file, 1 - index, false)?;
        forget(answer, &target)?;
    }
    Ok(())
}

fn no_other_process(answer: &mut UserProgram) -> Result<()> {
    let file = TargetFile::make()?;
    let [mut watched, mut before] = [file.start()?, file.start()?];
    watch(answer, &watched, &file.functions[0])?;
    let mut after = file.start()?;
    expect_counted(&mut before, &file, 0, false)?;
    expect_counted(&mut after, &file, 0, false)?;
    expect_counted(&mut watched, &file, 0, true)?;
    forget(answer, &watched)
}

fn some_processes(answer: &mut UserProgram) -> Result<()> {
    let [file, other_file] = [TargetFile::make()?, TargetFile::make()?];
    let [mut first, mut second, mut third] = [file.start()?, file.start()?, other_file.start()?];
    watch(answer, &first, &file.functions[0])?;
    watch(answer, &second, &file.functions[1])?;
    watch(answer, &third, &other_file.functions[0])?;
    for _ in 0..2 {
        expect_counted(&mut first, &file, 0, true)?;
        expect_counted(&mut first, &file, 1, false)?;
        expect_counted(&mut second, &file, 0, false)?;
        expect_counted(&mut second, &file, 1, true)?;
        expect_counted(&mut third, &other_file, 0, true)?;
    }
    for target in [&first, &second, &third] {
        forget(answer, target)?;
    }
    Ok(())
}

fn forgotten_process(answer: &mut UserProgram) -> Result<()> {
    let file = TargetFile::make()?;
    let [mut forgotten, mut watched] = [file.start()?, file.start()?];
    for target in [&forgotten, &watched] {
        watch(answer, target, &file.functions[0])?;
    }
    forget(answer, &forgotten)?;
    expect_counted(&mut forgotten, &file, 0, false)?;
    expect_counted(&mut watched, &file, 0, true)?;
    watch(answer, &forgotten, &file.functions[1])?;
    expect_counted(&mut forgotten, &file, 0, false)?;
    expect_counted(&mut forgotten, &file, 1, true)?;
    forget(answer, &forgotten)?;
    forget(answer, &watched)?;
    expect_counted(&mut watched, &file, 0, false)
}

fn ended_process(answer: &mut UserProgram) -> Result<()> {
    let file = TargetFile::make()?;
    let [ends, mut stays] = [file.start()?, file.start()?];
    watch(answer, &ends, &file.functions[0])?;
    watch(answer, &stays, &file.functions[0])?;
    let process = ends.process();
    drop(ends);
    answer.order(&format!("forget {process}"))?;
    expect_counted(&mut stays, &file, 0, true)?;
    forget(answer, &stays)
}

fn watch(answer: &mut UserProgram, target: &RunningTarget, function: &str) -> Result<()> {
    answer.order(&format!("watch {} {function}", target.process()))
}

fn forget(answer: &mut UserProgram, target: &RunningTarget) -> Result<()> {
    answer.order(&format!("forget {}", target.process()))
}

/// A process calls one of its functions, which should be counted or not.
fn expect_counted(
    target: &mut RunningTarget,
    file: &TargetFile,
    index: usize,
    counts: bool,
) -> Result<()> {
    let (process, before) = (target.process(), count_of(target.process())?);
    let calls = fastrand::u64(2..9);
    target.call_function(index, calls)?;
    let after = count_of(process)?;
    let expected = if counts { before + calls } else { before };
    let watched = if counts {
        "is watched"
    } else {
        "is not watched"
    };
    ensure!(
        after == expected,
        "process {process} called {} {calls} times, which {watched}, and its number in CALLS went \
         from {before} to {after}; expected {expected}",
        file.functions[index]
    );
    Ok(())
}

fn count_of(process: u32) -> Result<u64> {
    let map = loaded_map("CALLS")?;
    let calls = HashMap::<_, u32, u64>::try_from(&map).context("read the map CALLS")?;
    match calls.get(&process, 0) {
        Ok(count) => Ok(count),
        Err(MapError::KeyNotFound) => Ok(0),
        Err(error) => Err(error).context("read the map CALLS"),
    }
}
