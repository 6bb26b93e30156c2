//! Lesson 01.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use aya::maps::MapError;
use nix::libc;

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::work;

/// What removes a file, up to Linux 6.19 and since 7.0.
const UNLINK: &[&str] = &["do_unlinkat", "filename_unlinkat"];
const SLEEP: &[&str] = &["do_nanosleep"];

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "01/failed-removals",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("removed", Hook::KRetProbe(UNLINK))],
            maps: &[MapSpec::hash::<u32, u64>("FAILED")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the removals that fail",
                    holds: failures,
                },
                Check {
                    says: "does not count those that work",
                    holds: no_successes,
                },
                Check {
                    says: "counts all threads of a process together",
                    holds: one_process,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "01/time-asleep",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("fall_asleep", Hook::KProbe(SLEEP)),
                ("wake_up", Hook::KRetProbe(SLEEP)),
            ],
            maps: &[
                MapSpec::hash::<u32, u64>("START"),
                MapSpec::hash::<u32, u64>("SLEPT"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "measures a sleep",
                    holds: one_sleep,
                },
                Check {
                    says: "adds up the sleeps of a thread",
                    holds: some_sleeps,
                },
                Check {
                    says: "measures threads that sleep at the same time",
                    holds: sleeps_at_once,
                },
                Check {
                    says: "forgets the sleeps that are over",
                    holds: sleeps_are_forgotten,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "01/removal-errors",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("unlink_enter", Hook::KProbe(UNLINK)),
                ("unlink_exit", Hook::KRetProbe(UNLINK)),
            ],
            maps: &[
                MapSpec::hash::<[u8; 20], [u8; 72]>("FAILURES"),
                MapSpec::hash::<u64, [u8; 64]>("NAMES"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "counts by program and error",
                    holds: errors,
                },
                Check {
                    says: "keeps the last file",
                    holds: last_file,
                },
                Check {
                    says: "does not count what works",
                    holds: nothing_that_works,
                },
                Check {
                    says: "forgets the names of removals that are over",
                    holds: names_are_forgotten,
                },
            ],
        }),
    },
];

fn somewhere() -> PathBuf {
    Path::new("/tmp").join(work::any_name())
}

fn remove_existing(times: u64) -> Result<()> {
    for _ in 0..times {
        let path = somewhere();
        File::create(&path).with_context(|| format!("make {}", path.display()))?;
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

fn remove_missing(times: u64) -> Result<()> {
    (0..times).try_for_each(|_| fails(&somewhere(), Errno::NoEntry))
}

// 01/failed-removals

fn failures(answer: &mut LoadedAnswer) -> Result<()> {
    let times = fastrand::u64(2..9);
    remove_missing(times)?;
    let count = failed(answer)?;
    let count = count.with_context(|| {
        format!(
            "process {} failed {times} times to remove a file, and FAILED has no entry for it",
            std::process::id()
        )
    })?;
    ensure!(
        count == times,
        "{times} removals failed, and FAILED says {count}"
    );
    // Once more: the number may not be the first one that came along.
    count_grows(answer, "as many as before", remove_missing)
}

fn no_successes(answer: &mut LoadedAnswer) -> Result<()> {
    let (before, times) = (failed(answer)?, fastrand::u64(2..9));
    remove_existing(times)?;
    let after = failed(answer)?;
    ensure!(
        after == before,
        "{times} removals worked, and FAILED went from {} to {}",
        before.unwrap_or(0),
        after.unwrap_or(0)
    );
    Ok(())
}

fn one_process(answer: &mut LoadedAnswer) -> Result<()> {
    count_grows(answer, "in a second thread", |times| {
        work::as_thread(&work::any_name(), move || remove_missing(times)).map(|_| ())
    })
}

fn count_grows(
    answer: &LoadedAnswer,
    how: &str,
    fail: impl FnOnce(u64) -> Result<()>,
) -> Result<()> {
    let (before, times) = (failed(answer)?.unwrap_or(0), fastrand::u64(2..9));
    fail(times)?;
    let after = failed(answer)?.unwrap_or(0);
    ensure!(
        after == before + times,
        "{times} more removals failed, {how}, and FAILED went from {before} to {after}"
    );
    Ok(())
}

/// What the answer has counted for this process.
fn failed(answer: &LoadedAnswer) -> Result<Option<u64>> {
    entry(
        answer
            .hash_map::<u32, u64>("FAILED")?
            .get(&std::process::id(), 0),
    )
}

fn entry<V>(found: Result<V, MapError>) -> Result<Option<V>> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(MapError::KeyNotFound) => Ok(None),
        Err(error) => Err(error).context("read a map"),
    }
}

// 01/time-asleep

/// One or more sleeps of a thread, seen from outside.
struct Slept {
    thread: u32,
    /// The least and the most that it can have been.
    least: Duration,
    most: Duration,
}

fn sleep(times: &[Duration]) -> Slept {
    let begin = Instant::now();
    times.iter().for_each(|time| thread::sleep(*time));
    Slept {
        thread: work::thread_id(),
        least: times.iter().sum(),
        most: begin.elapsed(),
    }
}

fn milliseconds(range: std::ops::Range<u64>) -> Duration {
    Duration::from_micros(fastrand::u64(range.start * 1000..range.end * 1000))
}

fn one_sleep(answer: &mut LoadedAnswer) -> Result<()> {
    asleep(|| sleep(&[milliseconds(20..60)]))?
        .join()
        .map_err(panicked)?
        .is_in(answer)
}

fn some_sleeps(answer: &mut LoadedAnswer) -> Result<()> {
    let times: Vec<_> = (0..fastrand::u8(2..5))
        .map(|_| milliseconds(10..30))
        .collect();
    asleep(move || sleep(&times))?
        .join()
        .map_err(panicked)?
        .is_in(answer)
}

fn sleeps_at_once(answer: &mut LoadedAnswer) -> Result<()> {
    let long = asleep(|| sleep(&[milliseconds(500..700)]))?;
    let short = asleep(|| sleep(&[milliseconds(20..60)]))?;
    let (short, long) = (
        short.join().map_err(panicked)?,
        long.join().map_err(panicked)?,
    );
    [long, short]
        .iter()
        .try_for_each(|slept| slept.is_in(answer))
}

fn sleeps_are_forgotten(answer: &mut LoadedAnswer) -> Result<()> {
    let slept = asleep(|| sleep(&[milliseconds(5..10)]))?
        .join()
        .map_err(panicked)?;
    let start = answer.hash_map::<u32, u64>("START")?;
    for id in [slept.thread, std::process::id()] {
        ensure!(
            entry(start.get(&id, 0))?.is_none(),
            "no thread is asleep, and START still has an entry for {id}"
        );
    }
    Ok(())
}

/// Starts a thread and waits until it sleeps. We ourselves never sleep here: it would be seen as
/// well.
fn asleep(work: impl FnOnce() -> Slept + Send + 'static) -> Result<JoinHandle<Slept>> {
    let (sender, receiver) = mpsc::channel();
    let thread = thread::spawn(move || {
        // Nobody listens any more only when the judge has ended.
        let _ = sender.send(work::thread_id());
        work()
    });
    let id = receiver.recv().context("wait for a thread")?;
    let call = format!("/proc/self/task/{id}/syscall");
    let sleeps = [libc::SYS_nanosleep, libc::SYS_clock_nanosleep].map(|it| format!("{it} "));
    while !thread.is_finished() {
        let call = fs::read_to_string(&call).unwrap_or_default();
        // A thread that is not blocked is "running".
        if sleeps.iter().any(|sleep| call.starts_with(sleep)) {
            break;
        }
        thread::yield_now();
    }
    Ok(thread)
}

fn panicked(_: Box<dyn std::any::Any + Send>) -> anyhow::Error {
    anyhow!("a thread panicked")
}

impl Slept {
    fn is_in(&self, answer: &LoadedAnswer) -> Result<()> {
        let Self {
            thread,
            least,
            most,
        } = *self;
        let found = entry(answer.hash_map::<u32, u64>("SLEPT")?.get(&thread, 0))?;
        let did = format!(
            "thread {thread} slept between {} and {} us",
            least.as_micros(),
            most.as_micros()
        );
        let found = found.with_context(|| format!("{did}, and SLEPT has no entry for it"))?;
        let found = Duration::from_nanos(found);
        ensure!(
            least <= found && found <= most,
            "{did}, and SLEPT says {} us",
            found.as_micros()
        );
        Ok(())
    }
}

// 01/removal-errors

/// Ways to fail at removing a file.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Errno {
    NoEntry = 2,
    NotADirectory = 20,
    IsADirectory = 21,
}

impl Errno {
    fn name(self) -> &'static str {
        match self {
            Self::NoEntry => "ENOENT",
            Self::NotADirectory => "ENOTDIR",
            Self::IsADirectory => "EISDIR",
        }
    }
}

fn fails(path: &Path, errno: Errno) -> Result<()> {
    let error = fs::remove_file(path)
        .err()
        .and_then(|error| error.raw_os_error());
    ensure!(
        error == Some(errno as i32),
        "remove {}: the kernel said {error:?}, not {}",
        path.display(),
        errno.name()
    );
    Ok(())
}

/// Fails this many times for this reason; says which file was the last.
fn fail(times: u64, errno: Errno) -> Result<PathBuf> {
    let directory = somewhere();
    fs::create_dir(&directory).with_context(|| format!("make {}", directory.display()))?;
    let file = directory.join(work::any_name());
    File::create(&file).with_context(|| format!("make {}", file.display()))?;
    let mut last = PathBuf::new();
    for _ in 0..times {
        last = match errno {
            Errno::NoEntry => directory.join(work::any_name()),
            Errno::NotADirectory => file.join(work::any_name()),
            Errno::IsADirectory => directory.clone(),
        };
        fails(&last, errno)?;
    }
    fs::remove_dir_all(&directory).with_context(|| format!("remove {}", directory.display()))?;
    Ok(last)
}

fn errors(answer: &mut LoadedAnswer) -> Result<()> {
    let all = [Errno::NoEntry, Errno::IsADirectory, Errno::NotADirectory];
    for program in [work::any_name(), work::any_name()] {
        let counts = all.map(|errno| (errno, fastrand::u64(2..6)));
        work::as_thread(&program, move || {
            counts
                .iter()
                .try_for_each(|(errno, times)| fail(*times, *errno).map(|_| ()))
        })?;
        for (errno, times) in counts {
            let (count, _) = failure(answer, &program, times, errno)?;
            ensure!(
                count == times,
                "{program} failed {times} times with {}, and FAILURES says {count}",
                errno.name()
            );
        }
    }
    Ok(())
}

fn last_file(answer: &mut LoadedAnswer) -> Result<()> {
    let (program, times) = (work::any_name(), fastrand::u64(2..5));
    for errno in [Errno::NoEntry, Errno::NotADirectory] {
        let (_, last) = work::as_thread(&program, move || fail(times, errno))?;
        is_last(answer, &program, times, errno, &last)?;
    }
    // Too long for the record: its first 63 bytes are kept.
    let (program, long) = (
        work::any_name(),
        Path::new("/tmp").join(work::any_name().repeat(9)),
    );
    let removed = long.clone();
    work::as_thread(&program, move || fails(&removed, Errno::NoEntry))?;
    is_last(answer, &program, 1, Errno::NoEntry, &long)
}

fn is_last(
    answer: &LoadedAnswer,
    program: &str,
    times: u64,
    errno: Errno,
    last: &Path,
) -> Result<()> {
    let (_, found) = failure(answer, program, times, errno)?;
    let last = last.to_string_lossy();
    let last = &last[..last.len().min(63)];
    ensure!(
        found == last,
        "the last file that {program} failed to remove is \"{last}\", and FAILURES says \"{}\"",
        found.escape_debug()
    );
    Ok(())
}

/// How often, and which file was the last.
fn failure(
    answer: &LoadedAnswer,
    program: &str,
    times: u64,
    errno: Errno,
) -> Result<(u64, String)> {
    let found = failure_if_any(answer, program, errno as i32)?;
    found.with_context(|| {
        let (name, number) = (errno.name(), errno as i32);
        format!(
            "{program} failed {times} times with error {number} ({name}), and FAILURES has no \
             entry for that"
        )
    })
}

fn failure_if_any(
    answer: &LoadedAnswer,
    program: &str,
    errno: i32,
) -> Result<Option<(u64, String)>> {
    let mut key = [0; 20];
    key[..program.len()].copy_from_slice(program.as_bytes());
    key[16..].copy_from_slice(&errno.to_ne_bytes());
    let found = entry(
        answer
            .hash_map::<[u8; 20], [u8; 72]>("FAILURES")?
            .get(&key, 0),
    )?;
    Ok(found.map(|value| {
        let (count, name) = value.split_at(8);
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        let count = count.first_chunk().copied().unwrap_or_default();
        (
            u64::from_ne_bytes(count),
            String::from_utf8_lossy(name).into_owned(),
        )
    }))
}

fn nothing_that_works(answer: &mut LoadedAnswer) -> Result<()> {
    let (program, times) = (work::any_name(), fastrand::u64(2..9));
    work::as_thread(&program, move || remove_existing(times))?;
    let found = failure_if_any(answer, &program, 0)?;
    ensure!(
        found.is_none(),
        "{program} removed {times} files, and FAILURES has an entry for it with error 0"
    );
    Ok(())
}

fn names_are_forgotten(answer: &mut LoadedAnswer) -> Result<()> {
    let (thread, ()) = work::as_thread(&work::any_name(), || {
        remove_existing(1).and(remove_missing(1))
    })?;
    let id = u64::from(std::process::id()) << 32 | u64::from(thread);
    let names = answer.hash_map::<u64, [u8; 64]>("NAMES")?;
    ensure!(
        entry(names.get(&id, 0))?.is_none(),
        "no file is being removed, and NAMES still has an entry for {id:#x}"
    );
    Ok(())
}
