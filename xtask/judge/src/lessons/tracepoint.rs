//! Lesson 03.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use common::text::{printable, until_nul};
use nix::unistd::gettid;

use crate::answer::{LoadedAnswer, comm_bytes, sum_per_cpu};
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::field_offset::find_field_offset;
use crate::global::Global;
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::work::{self, ShortProgram};

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "03/count-by-comm",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("count_exec", Hook::Tracepoint("sched/sched_process_exec"))],
            maps: &[MapSpec::hash::<[u8; 16], u64>("COUNTS")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the executions of one program",
                    holds: one_program,
                },
                Check {
                    says: "counts each program on its own",
                    holds: many_programs,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "03/count-exits",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("count_exit", Hook::Tracepoint("sched/sched_process_exit"))],
            maps: &[MapSpec::per_cpu_hash::<[u8; 16], u64>("EXITS")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the processes of one program",
                    holds: one_program_ends,
                },
                Check {
                    says: "counts no thread that ends before its process",
                    holds: threads_end,
                },
                Check {
                    says: "counts each program on its own",
                    holds: many_programs_end,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "03/exec-log",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("log_exec", Hook::Tracepoint("sched/sched_process_exec"))],
            maps: &[
                MapSpec::hash::<u32, u8>("USERS"),
                MapSpec::ring_buf("LOG"),
                MapSpec::per_cpu_array::<u64>("LOST"),
            ],
            globals: &[Global {
                name: "FILENAME",
                value: filename_offset,
            }],
            checks: &[
                Check {
                    says: "logs a program that a user in USERS executes",
                    holds: user_is_logged,
                },
                Check {
                    says: "tells which file was executed",
                    holds: file_is_told,
                },
                Check {
                    says: "cuts a path that is too long",
                    holds: path_is_cut,
                },
                Check {
                    says: "logs no other user",
                    holds: others_are_not_logged,
                },
                Check {
                    says: "counts in LOST what does not fit",
                    holds: losses_are_counted,
                },
            ],
        }),
    },
];

fn one_program(answer: &mut LoadedAnswer) -> Result<()> {
    let (name, times) = (work::any_name(), fastrand::u64(2..9));
    work::execute_as(&name, times)?;
    counted(answer, &name, times)
}

fn many_programs(answer: &mut LoadedAnswer) -> Result<()> {
    // A name of 15 bytes is the longest that the kernel keeps.
    let programs = [
        (work::any_name(), fastrand::u64(1..5)),
        (format!("{}-tool-of-15-bytes", work::any_name()), 3),
    ];
    for (name, times) in &programs {
        work::execute_as(name, *times)?;
    }
    programs
        .iter()
        .try_for_each(|(name, times)| counted(answer, name, *times))
}

fn counted(answer: &LoadedAnswer, name: &str, times: u64) -> Result<()> {
    let counts = answer.hash_map::<[u8; 16], u64>("COUNTS")?;
    let count = counts.get(&comm_bytes(name), 0).ok();
    let name = &name[..name.len().min(15)];
    let count = count.with_context(|| {
        format!("{name} was executed {times} times, and COUNTS has no entry for it")
    })?;
    ensure!(
        count == times,
        "{name} was executed {times} times, and COUNTS says {count}"
    );
    Ok(())
}

fn one_program_ends(answer: &mut LoadedAnswer) -> Result<()> {
    let (name, times) = (work::any_name(), fastrand::u64(2..9));
    work::execute_as(&name, times)?;
    ended(answer, &name, times)
}

fn many_programs_end(answer: &mut LoadedAnswer) -> Result<()> {
    let programs = [
        (work::any_name(), fastrand::u64(1..5)),
        (work::any_name(), fastrand::u64(1..5)),
    ];
    for (name, times) in &programs {
        work::execute_as(name, *times)?;
    }
    programs
        .iter()
        .try_for_each(|(name, times)| ended(answer, name, *times))
}

fn threads_end(answer: &mut LoadedAnswer) -> Result<()> {
    let (name, times) = (work::any_name(), fastrand::u64(2..9));
    for _ in 0..times {
        let thread = work::as_program(&name, 0, || Ok(gettid()))?;
        work::wait_for_end(thread)?;
    }
    let count = exits(answer, &name)?.unwrap_or(0);
    ensure!(
        count == 0,
        "{times} threads with the name {name} ended, no process, and EXITS says {count}"
    );
    Ok(())
}

fn ended(answer: &LoadedAnswer, name: &str, times: u64) -> Result<()> {
    let count = exits(answer, name)?;
    let count = count.with_context(|| {
        format!("{times} processes of {name} ended, and EXITS has no entry for it")
    })?;
    ensure!(
        count == times,
        "{times} processes of {name} ended, and EXITS says {count}"
    );
    Ok(())
}

fn exits(answer: &LoadedAnswer, name: &str) -> Result<Option<u64>> {
    let exits = answer.per_cpu_hash::<[u8; 16], [u64; 1]>("EXITS")?;
    Ok(exits
        .get(&comm_bytes(name), 0)
        .ok()
        .map(|values| sum_per_cpu(&values)[0]))
}

fn filename_offset() -> Result<u32> {
    find_field_offset("sched", "sched_process_exec", "__data_loc char[] filename")
}

fn user_is_logged(answer: &mut LoadedAnswer) -> Result<()> {
    let (program, uid) = (program()?, watch_somebody(answer)?);
    let pid = program.execute_by(uid)?;
    let log = log(answer)?;
    let shown = program.path.display();
    let seen = log.iter().find(|record| record.pid == pid);
    let seen = seen.with_context(|| {
        format!("user {uid} executed {shown} in process {pid}, and LOG has no record of it")
    })?;
    let (seen, uid_seen, name) = (
        printable(until_nul(&seen.comm)),
        seen.uid,
        name(&program.path),
    );
    ensure!(
        uid_seen == uid,
        "user {uid} executed {shown}, and the record says that it was user {uid_seen}"
    );
    ensure!(
        seen == name,
        "a program called {name} was executed, and the record calls it '{seen}'"
    );
    Ok(())
}

fn file_is_told(answer: &mut LoadedAnswer) -> Result<()> {
    let program = program()?;
    let file = program.path.display().to_string();
    told(answer, &program, &file)
}

fn path_is_cut(answer: &mut LoadedAnswer) -> Result<()> {
    let directory = tempfile::Builder::new()
        .permissions(fs::Permissions::from_mode(0o755))
        .tempdir()?;
    let inner = directory
        .path()
        .join(work::any_name().repeat(fastrand::usize(28..31)));
    fs::create_dir(&inner).context("make a directory")?;
    let program = ShortProgram::new(&inner.join(work::any_name()))?;
    let file = program.path.display().to_string();
    told(answer, &program, &file[..FILE_SIZE - 1])
}

fn told(answer: &mut LoadedAnswer, program: &ShortProgram, file: &str) -> Result<()> {
    let uid = watch_somebody(answer)?;
    let pid = program.execute_by(uid)?;
    let log = log(answer)?;
    let seen = log.iter().find(|record| record.pid == pid);
    let seen = seen.with_context(|| format!("{file} was executed, and LOG has no record of it"))?;
    let seen = printable(until_nul(&seen.file));
    ensure!(
        seen == file,
        "{file} was executed, and the file in its record is '{seen}'"
    );
    Ok(())
}

fn others_are_not_logged(answer: &mut LoadedAnswer) -> Result<()> {
    let (program, first) = (program()?, watch_somebody(answer)?);
    let second = first + 1;
    // The checks before may have drawn it.
    let _ = answer.hash_mut::<u32, u8>("USERS")?.remove(&second);
    only_one_is_logged(answer, &program, first, second)?;
    let mut users = answer.hash_mut::<u32, u8>("USERS")?;
    users.remove(&first).context("remove a user from USERS")?;
    users
        .insert(second, 1, 0)
        .context("insert a user into USERS")?;
    only_one_is_logged(answer, &program, second, first)
}

fn only_one_is_logged(
    answer: &mut LoadedAnswer,
    program: &ShortProgram,
    watched: u32,
    other: u32,
) -> Result<()> {
    for uid in [other, 0, watched] {
        program.execute_by(uid)?;
    }
    let mut uids = log(answer)?.into_iter().map(|record| record.uid);
    let (first, more) = (uids.next(), uids.next());
    ensure!(
        first == Some(watched) && more.is_none(),
        "users {other}, 0 and {watched} executed a program, USERS has only {watched}, and LOG has \
         a record of {}",
        match (first, more) {
            (None, _) => "nobody".to_owned(),
            (Some(first), None) => format!("user {first}"),
            (Some(first), Some(more)) => format!("user {first} and user {more}"),
        }
    );
    Ok(())
}

fn losses_are_counted(answer: &mut LoadedAnswer) -> Result<()> {
    let (program, uid, times) = (program()?, watch_somebody(answer)?, fastrand::u64(18..25));
    let before = lost(answer)?;
    for _ in 0..times {
        program.execute_by(uid)?;
    }
    let (seen, lost) = (log(answer)?.len() as u64, lost(answer)? - before);
    ensure!(
        seen > 0 && seen + lost == times,
        "a program was executed {times} times, LOG has {seen} records, and LOST says {lost}"
    );
    Ok(())
}

fn lost(answer: &LoadedAnswer) -> Result<u64> {
    let lost = answer.per_cpu_array::<[u64; 1]>("LOST")?;
    Ok(sum_per_cpu(&lost.get(&0, 0).context("look LOST up")?)[0])
}

fn program() -> Result<ShortProgram> {
    ShortProgram::new(&Path::new("/tmp").join(work::any_name()))
}

fn name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}

/// Puts a user into USERS that nobody can know beforehand, and forgets what was logged before.
fn watch_somebody(answer: &mut LoadedAnswer) -> Result<u32> {
    let uid = fastrand::u32(1000..60000);
    answer
        .hash_mut::<u32, u8>("USERS")?
        .insert(uid, 1, 0)
        .context("insert a user into USERS")?;
    log(answer)?;
    Ok(uid)
}

/// Bytes of a file's path, with its zero byte.
const FILE_SIZE: usize = 232;

struct Record {
    pid: u32,
    uid: u32,
    comm: [u8; 16],
    file: [u8; FILE_SIZE],
}

/// What was logged since the last time.
fn log(answer: &mut LoadedAnswer) -> Result<Vec<Record>> {
    let records = answer.read_records::<{ 24 + FILE_SIZE }>("LOG")?;
    let number = |record: &[u8], at: usize| {
        record[at..]
            .first_chunk()
            .map_or(0, |bytes| u32::from_ne_bytes(*bytes))
    };
    let part = |record: &[u8; 24 + FILE_SIZE]| Record {
        pid: number(record, 0),
        uid: number(record, 4),
        comm: std::array::from_fn(|index| record[8 + index]),
        file: std::array::from_fn(|index| record[24 + index]),
    };
    Ok(records.iter().map(part).collect())
}
