//! Lesson 03.

use anyhow::{Context as _, Result, ensure};

use crate::answer::Answer;
use crate::exercise::{Check, Exercise, Judge, Kernel};
use crate::hook::Hook;
use crate::work;

pub const EXERCISES: &[Exercise] = &[Exercise {
    name: "03/count-by-comm",
    judge: Judge::Kernel(Kernel {
        programs: &[("count_exec", Hook::Tracepoint("sched", "sched_process_exec"))],
        globals: None,
        checks: &[
            Check { says: "counts the executions of one program", holds: one_program },
            Check { says: "counts each program on its own", holds: many_programs },
        ],
    }),
}];

fn one_program(answer: &mut Answer) -> Result<()> {
    let (name, times) = (work::name(), fastrand::u64(2..9));
    work::execute_as(&name, times)?;
    counted(answer, &name, times)
}

fn many_programs(answer: &mut Answer) -> Result<()> {
    // A name of 15 bytes is the longest that the kernel keeps.
    let programs = [(work::name(), fastrand::u64(1..5)), (format!("{}-tool-of-15-bytes", work::name()), 3)];
    for (name, times) in &programs {
        work::execute_as(name, *times)?;
    }
    programs.iter().try_for_each(|(name, times)| counted(answer, name, *times))
}

fn counted(answer: &Answer, name: &str, times: u64) -> Result<()> {
    let counts = answer.hash::<[u8; 16], u64>("COUNTS")?;
    let mut key = [0; 16];
    let shown = name.len().min(15);
    key[..shown].copy_from_slice(&name.as_bytes()[..shown]);
    let name = &name[..shown];
    let count = counts.get(&key, 0).ok();
    let count = count
        .with_context(|| format!("{name} was executed {times} times, and COUNTS has no entry for it"))?;
    ensure!(count == times, "{name} was executed {times} times, and COUNTS says {count}");
    Ok(())
}
