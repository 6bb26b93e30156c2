//! Lesson 04, the exercises of user-space programs.

use anyhow::{Result, ensure};

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::work;

/// The CPUs that the judge works on.
const CPUS: usize = 2;

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "04/all-cpus",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: Vec::new,
        programs: &["on_mkdir"],
        checks: &[
            Check {
                says: "says what the first CPU counted",
                holds: first_cpu,
            },
            Check {
                says: "adds up what all CPUs counted",
                holds: all_cpus,
            },
            Check {
                says: "has no line for a CPU that counted nothing",
                holds: last_cpu,
            },
        ],
    }),
}];

fn first_cpu(answer: &mut UserProgram) -> Result<()> {
    let mut made = [0; CPUS];
    made[0] = make_directories(0)?;
    expect_total(answer, made)
}

fn all_cpus(answer: &mut UserProgram) -> Result<()> {
    answer.start_again(Vec::new())?;
    let mut made = [0; CPUS];
    for (cpu, made) in made.iter_mut().enumerate() {
        *made = make_directories(cpu)?;
    }
    expect_total(answer, made)?;
    // It says so again, and not what is new.
    expect_total(answer, made)
}

fn last_cpu(answer: &mut UserProgram) -> Result<()> {
    answer.start_again(Vec::new())?;
    expect_total(answer, [0; CPUS])?;
    let mut made = [0; CPUS];
    made[CPUS - 1] = make_directories(CPUS - 1)?;
    expect_total(answer, made)
}

/// On this CPU.
fn make_directories(cpu: usize) -> Result<u64> {
    let number = fastrand::u64(2..9);
    work::as_program(&work::any_name(), cpu, || work::remove_directories(number))?;
    Ok(number)
}

fn expect_total(answer: &mut UserProgram, made: [u64; CPUS]) -> Result<()> {
    let mut expected = Vec::new();
    for (cpu, made) in made.iter().enumerate().filter(|(_, made)| **made > 0) {
        expected.push(format!("{cpu} {made}"));
    }
    expected.push(format!("total {}", made.iter().sum::<u64>()));
    let found = answer.tell("total")?;
    ensure!(
        found == expected,
        "`{}` is what it printed after `total`; expected `{}`",
        found.join("`, `"),
        expected.join("`, `")
    );
    Ok(())
}
