//! Lesson 02, the exercises of user-space programs.

use anyhow::{Context as _, Result, bail, ensure};

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;
use crate::work;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "02/list-and-forget",
        judge: Judge::UserProgram(UserProgramExercise {
            arguments: Vec::new,
            programs: &["on_mkdir"],
            checks: &[
                Check {
                    says: "lists a thread with what it made",
                    holds: one_maker,
                },
                Check {
                    says: "lists none that made fewer than it is asked for",
                    holds: few_made,
                },
                Check {
                    says: "lists the thread that made most first",
                    holds: some_makers,
                },
                Check {
                    says: "lists the smaller id first where the numbers are equal",
                    holds: equal_makers,
                },
                Check {
                    says: "lists hundreds of threads",
                    holds: many_makers,
                },
                Check {
                    says: "forgets a thread",
                    holds: forgotten_maker,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "02/lost-records",
        judge: Judge::UserProgram(UserProgramExercise {
            arguments: Vec::new,
            programs: &["on_mkdir"],
            checks: &[
                Check {
                    says: "prints each record, in order",
                    holds: few_records,
                },
                Check {
                    says: "prints no record again",
                    holds: no_records,
                },
                Check {
                    says: "says how many records were lost",
                    holds: many_records,
                },
                Check {
                    says: "says how many were lost since the last time, and not since the start",
                    holds: many_records_again,
                },
            ],
        }),
    },
];

/// A thread, and how many directories it made.
type Made = (u32, u64);

fn one_maker(answer: &mut UserProgram) -> Result<()> {
    let least = fastrand::u64(10..20);
    let made = make_directories(least)?;
    expect_list(answer, least, &[made])
}

fn few_made(answer: &mut UserProgram) -> Result<()> {
    let least = fastrand::u64(20..30);
    let enough = make_directories(least)?;
    make_directories(least - 1)?;
    expect_list(answer, least, &[enough])
}

/// The second of them makes the most: their ids in order are not the answer, in either direction.
fn some_makers(answer: &mut UserProgram) -> Result<()> {
    let least = fastrand::u64(40..50);
    let second = make_directories(least + 1)?;
    let first = make_directories(least + fastrand::u64(2..6))?;
    let third = make_directories(least)?;
    expect_list(answer, least, &[first, second, third])
}

fn equal_makers(answer: &mut UserProgram) -> Result<()> {
    let least = fastrand::u64(60..70);
    let mut made = Vec::new();
    // So many are in the right order by chance in one of 5,040 runs.
    for _ in 0..fastrand::u64(7..10) {
        made.push(make_directories(least)?);
    }
    made.sort();
    expect_list(answer, least, &made)
}

fn many_makers(answer: &mut UserProgram) -> Result<()> {
    let least = 2;
    let before = answer.tell(&format!("list {least}"))?.len();
    let threads = fastrand::usize(300..400);
    for _ in 0..threads {
        make_directories(least)?;
    }
    let after = answer.tell(&format!("list {least}"))?.len();
    ensure!(
        after == before + threads,
        "`list {least}` printed {before} lines, then {threads} more threads made {least} \
         directories each; expected {} lines, found {after}",
        before + threads
    );
    Ok(())
}

fn forgotten_maker(answer: &mut UserProgram) -> Result<()> {
    let least = fastrand::u64(80..90);
    let (forgotten, kept) = (make_directories(least)?, make_directories(least)?);
    let thread = forgotten.0;
    answer.order(&format!("forget {thread}"))?;
    expect_list(answer, least, &[kept])?;
    let all = answer.tell("list 0")?;
    let prefix = format!("{thread} ");
    match all.iter().find(|line| line.starts_with(&prefix)) {
        None => Ok(()),
        Some(line) => {
            bail!("after `forget {thread}`, `list 0` printed `{line}`: the entry is still there")
        }
    }
}

fn expect_list(answer: &mut UserProgram, least: u64, expected: &[Made]) -> Result<()> {
    let found = answer.tell(&format!("list {least}"))?;
    let lines = expected
        .iter()
        .map(|(thread, made)| format!("{thread} {made}"));
    let expected: Vec<String> = lines.collect();
    ensure!(
        found == expected,
        "after `list {least}`, expected {}; found {}",
        in_a_row(&expected),
        in_a_row(&found)
    );
    Ok(())
}

fn in_a_row(lines: &[String]) -> String {
    if lines.is_empty() {
        return "nothing".to_owned();
    }
    format!("`{}`", lines.join("`, `"))
}

/// In a thread of its own.
fn make_directories(number: u64) -> Result<Made> {
    let thread = work::in_a_thread(move || work::remove_directories(number))?;
    Ok((thread, number))
}

/// Records that the ring buffer has room for: each has a header of 8 bytes, and 8 of its own. One
/// byte of the buffer always stays free.
const ROOM: usize = 4096 / 16 - 1;

fn few_records(answer: &mut UserProgram) -> Result<()> {
    let mut threads = Vec::new();
    for _ in 0..fastrand::usize(3..9) {
        threads.push(make_directories(1)?.0.to_string());
    }
    let (found, lost) = read_records(answer)?;
    ensure!(
        found == threads,
        "{} threads made directories; expected {}; found {}",
        threads.len(),
        in_a_row(&threads),
        in_a_row(&found)
    );
    ensure!(lost == 0, "no record was lost, and it says `lost {lost}`");
    Ok(())
}

fn no_records(answer: &mut UserProgram) -> Result<()> {
    let (found, _) = read_records(answer)?;
    ensure!(
        found.is_empty(),
        "nobody made a directory since the last `read`, and it printed {}",
        found.join(", ")
    );
    Ok(())
}

fn many_records(answer: &mut UserProgram) -> Result<()> {
    let made = ROOM + fastrand::usize(10..100);
    make_directories(made as u64)?;
    let (found, lost) = read_records(answer)?;
    ensure!(
        found.len() == ROOM && lost == made - ROOM,
        "{made} directories were made; expected {ROOM} records and `lost {}`; \
         found {} records and `lost {lost}`",
        made - ROOM,
        found.len()
    );
    Ok(())
}

fn many_records_again(answer: &mut UserProgram) -> Result<()> {
    many_records(answer)?;
    few_records(answer)
}

/// The lines of records, and the number in the last line.
fn read_records(answer: &mut UserProgram) -> Result<(Vec<String>, usize)> {
    let mut lines = answer.tell("read")?;
    let last = lines.pop().unwrap_or_default();
    let lost = last
        .strip_prefix("lost ")
        .and_then(|number| number.parse().ok());
    let lost = lost.with_context(|| {
        format!("after `read` the last line should be `lost NUMBER`, and is `{last}`")
    })?;
    Ok((lines, lost))
}
