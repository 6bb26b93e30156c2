//! Lesson 04.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _};
use std::path::Path;
use std::process;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use nix::errno::Errno;

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::global::Global;
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::map_spec::MapSpec;
use crate::work::{self, Scratch, Span};

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "04/bytes-read",
        judge: Judge::Kernel(KernelExercise {
            programs: &[("read_exit", Hook::FExit("vfs_read"))],
            maps: &[MapSpec::per_cpu_array::<u64>("TOTALS")],
            globals: &[Global {
                name: "PID",
                value: own_pid,
            }],
            checks: &[
                Check {
                    says: "counts calls",
                    holds: calls,
                },
                Check {
                    says: "adds up what was asked for",
                    holds: asked,
                },
                Check {
                    says: "adds up what was read",
                    holds: got,
                },
                Check {
                    says: "counts failures",
                    holds: failed,
                },
                Check {
                    says: "leaves other processes out",
                    holds: reads_elsewhere,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "04/two-sleepers",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("sleep_enter", Hook::FEntry("do_nanosleep")),
                ("sleep_exit", Hook::FExit("do_nanosleep")),
            ],
            maps: &[MapSpec::hash::<u32, u64>("SLEPT")],
            globals: &[],
            checks: &[
                Check {
                    says: "adds up the sleeps of a thread",
                    holds: one_sleeper,
                },
                Check {
                    says: "measures threads that sleep at the same time",
                    holds: two_sleepers,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "04/open-latency",
        judge: Judge::Kernel(KernelExercise {
            programs: &[
                ("open_enter", Hook::FEntry("do_sys_openat2")),
                ("open_exit", Hook::FExit("do_sys_openat2")),
            ],
            maps: &[MapSpec::per_cpu_hash::<[u32; 2], u64>("HISTOGRAM")],
            globals: &[Global {
                name: "PID",
                value: own_pid,
            }],
            checks: &[
                Check {
                    says: "counts calls by their result",
                    holds: results,
                },
                Check {
                    says: "puts each call in the row of its time",
                    holds: rows_of_times,
                },
                Check {
                    says: "leaves other processes out",
                    holds: opens_elsewhere,
                },
            ],
        }),
    },
];

fn own_pid() -> Result<u32> {
    Ok(process::id())
}

// Bytes that were read.

const CALLS: usize = 0;
const ASKED: usize = 1;
const GOT: usize = 2;
const FAILED: usize = 3;

fn totals(answer: &LoadedAnswer) -> Result<[u64; 4]> {
    let map = answer.per_cpu_array::<u64>("TOTALS")?;
    let mut totals = [0; 4];
    for (index, total) in (0..).zip(&mut totals) {
        let of_cpus = map
            .get(&index, 0)
            .with_context(|| format!("TOTALS has no index {index}"))?;
        *total = of_cpus
            .iter()
            .fold(0, |sum: u64, of_cpu| sum.wrapping_add(*of_cpu));
    }
    Ok(totals)
}

/// What this adds to the totals.
fn added<T>(answer: &LoadedAnswer, work: impl FnOnce() -> Result<T>) -> Result<(T, [u64; 4])> {
    let before = totals(answer)?;
    let done = work()?;
    let after = totals(answer)?;
    Ok((
        done,
        [CALLS, ASKED, GOT, FAILED].map(|total| after[total].wrapping_sub(before[total])),
    ))
}

/// Some reads of a file: how many, of how many bytes, and how many there were.
#[derive(Default)]
struct Reads {
    calls: u64,
    asked: u64,
    got: u64,
}

impl Reads {
    /// Up to the end of the file, and once more.
    fn make() -> Result<Self> {
        let scratch = Scratch::make_file(fastrand::usize(2_000..9_000))?;
        let mut file = File::open(&scratch.path).context("open a file")?;
        let mut reads = Self::default();
        loop {
            let mut buffer = vec![0; fastrand::usize(300..3_000)];
            let got = file.read(&mut buffer).context("read a file")?;
            reads.calls += 1;
            reads.asked += buffer.len() as u64;
            reads.got += got as u64;
            if got == 0 {
                return Ok(reads);
            }
        }
    }
}

fn calls(answer: &mut LoadedAnswer) -> Result<()> {
    let (Reads { calls, .. }, added) = added(answer, Reads::make)?;
    ensure!(
        added[CALLS] == calls,
        "there were {calls} calls, and CALLS says {}",
        added[CALLS]
    );
    Ok(())
}

fn asked(answer: &mut LoadedAnswer) -> Result<()> {
    let (Reads { calls, asked, .. }, added) = added(answer, Reads::make)?;
    let says = added[ASKED];
    ensure!(
        says == asked,
        "{calls} calls asked for {asked} bytes, and ASKED says {says}"
    );
    Ok(())
}

fn got(answer: &mut LoadedAnswer) -> Result<()> {
    let (Reads { calls, got, .. }, added) = added(answer, Reads::make)?;
    ensure!(
        added[GOT] == got,
        "{calls} calls were given {got} bytes, and GOT says {}",
        added[GOT]
    );
    ensure!(
        added[FAILED] == 0,
        "no call failed, and FAILED says {}",
        added[FAILED]
    );
    Ok(())
}

fn failed(answer: &mut LoadedAnswer) -> Result<()> {
    let times = fastrand::u64(2..7);
    let ((), added) = added(answer, || {
        let directory = File::open("/tmp").context("open /tmp")?;
        let write_only = OpenOptions::new()
            .write(true)
            .open("/dev/null")
            .context("open /dev/null")?;
        for _ in 0..times {
            refused((&directory).read(&mut [0; 64]), Errno::EISDIR)?;
            refused((&write_only).read(&mut [0; 64]), Errno::EBADF)?;
        }
        Ok(())
    })?;
    let [failed, got] = [added[FAILED], added[GOT]];
    ensure!(
        failed == 2 * times,
        "{} calls failed, and FAILED says {failed}",
        2 * times
    );
    ensure!(
        got == 0,
        "{failed} calls failed and gave nothing, and GOT grew by {got}"
    );
    Ok(())
}

fn refused<T>(result: io::Result<T>, expected: Errno) -> Result<()> {
    match result {
        Err(error) if error.raw_os_error() == Some(expected as i32) => Ok(()),
        Err(error) => Err(error).context("make a call that fails"),
        Ok(_) => Err(anyhow!(
            "make a call that fails: it should have been {expected}"
        )),
    }
}

fn reads_elsewhere(answer: &mut LoadedAnswer) -> Result<()> {
    let scratch = Scratch::make_file(fastrand::usize(2_000..9_000))?;
    let ((), [calls, ..]) = added(answer, || work::open_elsewhere(&scratch.path))?;
    ensure!(
        calls == 0,
        "another process read a file, and CALLS grew by {calls}"
    );
    Ok(())
}

// Time asleep.

fn slept(answer: &LoadedAnswer, thread: u32) -> Result<Option<Duration>> {
    let slept = answer.hash_map::<u32, u64>("SLEPT")?.get(&thread, 0).ok();
    Ok(slept.map(Duration::from_nanos))
}

fn one_sleeper(answer: &mut LoadedAnswer) -> Result<()> {
    let thread = work::thread_id();
    let before = slept(answer, thread)?.unwrap_or_default();
    let (mut least, mut most) = (Duration::ZERO, Duration::ZERO);
    let times = fastrand::u32(2..5);
    for _ in 0..times {
        let (one_least, one_most) =
            work::measure_sleep(Duration::from_millis(fastrand::u64(5..30)))?.into_inner();
        least += one_least;
        most += one_most;
    }
    let what = format!(
        "a thread slept {times} times, {} together",
        times_of(&(least..=most))
    );
    let after =
        slept(answer, thread)?.with_context(|| format!("{what}, and SLEPT has no entry for it"))?;
    let says = after.saturating_sub(before);
    ensure!(
        (least..=most).contains(&says),
        "{what}, and SLEPT says {}",
        ms(says)
    );
    Ok(())
}

/// One falls asleep, the other does, the first wakes up, the other does.
fn two_sleepers(answer: &mut LoadedAnswer) -> Result<()> {
    // So long that both sleep for a while, however busy the machine is.
    let length = || Duration::from_millis(fastrand::u64(300..350));
    let (here, begins) = mpsc::channel();
    let first = thread::spawn(move || {
        let _ = here.send(());
        work::measure_sleep(length()).map(|span| (work::thread_id(), span))
    });
    begins
        .recv_timeout(Duration::from_secs(5))
        .context("start a thread")?;
    // To wait for a message that does not come is no sleep to the kernel.
    let _ = begins.recv_timeout(Duration::from_millis(80));
    let own = work::thread_id();
    let before = slept(answer, own)?.unwrap_or_default();
    let own_span = work::measure_sleep(length())?;
    let (thread, span) = first.join().map_err(|_| anyhow!("a thread panicked"))??;
    asleep(answer, thread, Duration::ZERO, &span)?;
    asleep(answer, own, before, &own_span)
}

fn asleep(answer: &LoadedAnswer, thread: u32, before: Duration, span: &Span) -> Result<()> {
    let what = format!("thread {thread} slept {} while another did", times_of(span));
    let after =
        slept(answer, thread)?.with_context(|| format!("{what}, and SLEPT has no entry for it"))?;
    let says = after.saturating_sub(before);
    ensure!(span.contains(&says), "{what}, and SLEPT says {}", ms(says));
    Ok(())
}

fn ms(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1e3)
}

fn times_of(span: &Span) -> String {
    format!("{} to {}", ms(*span.start()), ms(*span.end()))
}

// How long it takes to open a file.

/// How many calls, by result and row.
type Histogram = BTreeMap<(i32, u32), u64>;

fn histogram(answer: &LoadedAnswer) -> Result<Histogram> {
    let map = answer.per_cpu_hash::<[u32; 2], u64>("HISTOGRAM")?;
    map.iter()
        .map(|entry| {
            let ([result, row], of_cpus) = entry.context("read HISTOGRAM")?;
            Ok(((result.cast_signed(), row), of_cpus.iter().sum()))
        })
        .collect()
}

/// What this adds to the histogram.
fn opened<T>(answer: &LoadedAnswer, work: impl FnOnce() -> Result<T>) -> Result<(T, Histogram)> {
    let before = histogram(answer)?;
    let done = work()?;
    let mut after = histogram(answer)?;
    for (key, calls) in before {
        after
            .entry(key)
            .and_modify(|now| *now = now.saturating_sub(calls));
    }
    after.retain(|_, calls| *calls > 0);
    Ok((done, after))
}

fn calls_with(histogram: &Histogram, result: i32) -> u64 {
    histogram
        .iter()
        .filter(|((of, _), _)| *of == result)
        .map(|(_, calls)| calls)
        .sum()
}

fn rows_with(histogram: &Histogram, result: i32) -> Vec<u32> {
    histogram
        .keys()
        .filter(|(of, _)| *of == result)
        .map(|(_, row)| *row)
        .collect()
}

fn row(time: Duration) -> u32 {
    (time.as_nanos() | 1).ilog2()
}

fn missing() -> String {
    format!("/tmp/{}", work::any_name())
}

fn results(answer: &mut LoadedAnswer) -> Result<()> {
    let [there, absent, directory] = [(); 3].map(|()| fastrand::u64(2..9));
    let ((), histogram) = opened(answer, || {
        for _ in 0..there {
            File::open("/proc/version").context("open /proc/version")?;
        }
        for _ in 0..absent {
            refused(File::open(missing()), Errno::ENOENT)?;
        }
        for _ in 0..directory {
            refused(OpenOptions::new().write(true).open("/proc"), Errno::EISDIR)?;
        }
        Ok(())
    })?;
    let expected = [
        (0, there),
        (-(Errno::ENOENT as i32), absent),
        (-(Errno::EISDIR as i32), directory),
    ];
    for (result, times) in expected {
        let says = calls_with(&histogram, result);
        ensure!(
            says == times,
            "{times} calls had the result {result}, and HISTOGRAM has {says} of them"
        );
    }
    let all: u64 = histogram.values().sum();
    ensure!(
        all == there + absent + directory,
        "there were {} calls, and HISTOGRAM has {all}",
        there + absent + directory
    );
    Ok(())
}

/// One thread opens a file for long, another in the meantime many.
fn rows_of_times(answer: &mut LoadedAnswer) -> Result<()> {
    let hold = Duration::from_millis(10 << fastrand::u32(0..5));
    let mut most = Duration::ZERO;
    let (span, histogram) = opened(answer, || {
        work::open_slowly(|| {
            most = open_missing(4)?;
            thread::sleep(hold);
            Ok(())
        })
    })?;
    let (from, to) = (row(*span.start()), row(*span.end()));
    let rows = rows_with(&histogram, 0);
    let seen = rows.iter().any(|row| (from..=to).contains(row));
    let took = times_of(&span);
    ensure!(
        seen,
        "a call took {took}, of row {from} to {to}, and HISTOGRAM has successes in row {}",
        list(&rows)
    );
    let (rows, most) = (rows_with(&histogram, -(Errno::ENOENT as i32)), row(most));
    let seen =
        calls_with(&histogram, -(Errno::ENOENT as i32)) == 4 && rows.iter().all(|row| *row <= most);
    ensure!(
        seen,
        "while it was going on, another thread looked for 4 files that are missing, each in row \
         {most} or below, and HISTOGRAM has them in row {}",
        list(&rows)
    );
    Ok(())
}

/// How long the slowest took at most.
fn open_missing(times: u32) -> Result<Duration> {
    let mut most = Duration::ZERO;
    for _ in 0..times {
        let path = missing();
        let begin = Instant::now();
        refused(File::open(path), Errno::ENOENT)?;
        most = most.max(begin.elapsed());
    }
    Ok(most)
}

fn list(rows: &[u32]) -> String {
    let rows: Vec<String> = rows.iter().map(u32::to_string).collect();
    if rows.is_empty() {
        "none".to_owned()
    } else {
        rows.join(", ")
    }
}

fn opens_elsewhere(answer: &mut LoadedAnswer) -> Result<()> {
    let path = missing();
    let ((), histogram) = opened(answer, || work::open_elsewhere(Path::new(&path)))?;
    let says = calls_with(&histogram, -(Errno::ENOENT as i32));
    ensure!(
        says == 0,
        "another process opened a file that is missing, and HISTOGRAM has {says} such calls more"
    );
    Ok(())
}
