//! Lesson 09.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::maps::MapError;
use aya::sys::{Stats, enable_stats};
use aya::util::nr_cpus;
use common::text::{printable, until_nul};

use crate::answer::{LoadedAnswer, comm_bytes};
use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::hook::Hook;
use crate::kernel_exercise::KernelExercise;
use crate::loaded::loaded_program_infos;
use crate::map_spec::MapSpec;
use crate::spin::Spin;
use crate::work;

/// What the answer's program is called.
const PROGRAM: &str = "on_sample";

/// For samples to come. They take some tens of milliseconds; this is for a machine that is so busy
/// that most are skipped.
const LIMIT: Duration = Duration::from_secs(10);

/// How often a map is looked at.
const PAUSE: Duration = Duration::from_millis(5);

/// Samples that are enough to tell where a program is.
const ENOUGH: u64 = 20;

/// A program that is busy all the time has more than that among so many.
const MANY: u64 = 40 * ENOUGH;

pub const EXERCISES: &[JudgedExercise] = &[
    JudgedExercise {
        name: "09/user-or-kernel",
        judge: Judge::Kernel(KernelExercise {
            programs: &[(PROGRAM, Hook::PerfEvent)],
            maps: &[MapSpec::hash::<[u8; 16], [u64; 2]>("TIME")],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the samples of a program that calculates",
                    holds: calculating,
                },
                Check {
                    says: "tells its own code from the kernel's",
                    holds: in_the_kernel,
                },
                Check {
                    says: "counts no program that sleeps",
                    holds: sleeping,
                },
                Check {
                    says: "does not count a CPU that has nothing to do",
                    holds: idle,
                },
            ],
        }),
    },
    JudgedExercise {
        name: "09/lost-stacks",
        judge: Judge::Kernel(KernelExercise {
            programs: &[(PROGRAM, Hook::PerfEvent)],
            maps: &[
                MapSpec::stack_trace("STACKS"),
                MapSpec::hash::<[u32; 2], u64>("COUNTS"),
                MapSpec::hash::<u32, u64>("LOST"),
            ],
            globals: &[],
            checks: &[
                Check {
                    says: "counts the samples of a stack",
                    holds: one_stack,
                },
                Check {
                    says: "tells two stacks apart",
                    holds: two_stacks,
                },
                Check {
                    says: "counts in LOST what has no stack in user space",
                    holds: no_user_stack,
                },
                Check {
                    says: "counts in LOST the stacks for which there is no place",
                    holds: no_place,
                },
            ],
        }),
    },
];

/// Does this in a thread again and again, as long as the other work takes.
fn while_busy<T>(
    name: &str,
    step: impl Fn() -> Result<()> + Send + Sync,
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let stop = AtomicBool::new(false);
    let busy = || {
        while !stop.load(Ordering::Relaxed) {
            step()?;
        }
        Ok(())
    };
    thread::scope(|scope| {
        let thread = thread::Builder::new().name(name.to_owned());
        let thread = thread.spawn_scoped(scope, busy).context("start a thread")?;
        let done = work();
        stop.store(true, Ordering::Relaxed);
        work::join_thread(thread)?;
        done
    })
}

/// How often the answer's program runs. How many samples there are in a second is not known: a busy
/// machine skips some, and so does the kernel while a map is being read.
struct Runs {
    begin: Instant,
    first: u64,
    /// The kernel counts while this is open.
    _account: OwnedFd,
}

impl Runs {
    fn count() -> Result<Self> {
        let account = enable_stats(Stats::RunTime).context("count how often programs run")?;
        Ok(Self {
            begin: Instant::now(),
            first: read_run_count()?,
            _account: account,
        })
    }

    fn since_begin(&self) -> Result<u64> {
        Ok(read_run_count()? - self.first)
    }

    /// Whether it is no use to wait any longer.
    fn are_enough(&self, many: u64) -> Result<bool> {
        Ok(self.since_begin()? >= many || self.begin.elapsed() > LIMIT)
    }
}

/// Of the newest program of this name: one of an answer that was judged before may still be there.
fn read_run_count() -> Result<u64> {
    let programs = loaded_program_infos()?;
    let newest = programs
        .iter()
        .rfind(|program| program.name() == PROGRAM.as_bytes());
    let newest = newest.with_context(|| format!("find {PROGRAM} in the kernel"))?;
    Ok(newest.run_count())
}

/// So many runs may be in the maps and not yet in the kernel's count, or the other way round.
fn runs_at_once() -> Result<u64> {
    let cpus = nr_cpus().map_err(|(_, error)| error)?;
    Ok(cpus as u64)
}

// 09/user-or-kernel

/// Samples in a program's own code, and in the kernel.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
struct Time {
    user: u64,
    kernel: u64,
}

impl Time {
    fn sum(self) -> u64 {
        self.user + self.kernel
    }

    fn shown(self) -> String {
        let Self { user, kernel } = self;
        format!("{user} samples in user space and {kernel} in the kernel")
    }
}

fn time_of(answer: &LoadedAnswer, program: &str) -> Result<Time> {
    let time = answer.hash_map::<[u8; 16], [u64; 2]>("TIME")?;
    match time.get(&comm_bytes(program), 0) {
        Ok([user, kernel]) => Ok(Time { user, kernel }),
        Err(MapError::KeyNotFound) => Ok(Time::default()),
        Err(error) => Err(error).context("read the map TIME"),
    }
}

fn calculating(answer: &mut LoadedAnswer) -> Result<()> {
    for _ in 0..2 {
        let program = work::any_name();
        let spin = || {
            Spin::One.turn();
            Ok(())
        };
        let time = sampled(answer, &program, spin)?;
        ensure!(
            time.user > time.kernel,
            "{program} calculated and called nothing, and TIME has {} for it",
            time.shown()
        );
    }
    Ok(())
}

fn in_the_kernel(answer: &mut LoadedAnswer) -> Result<()> {
    let program = work::any_name();
    let time = sampled(answer, &program, || {
        let mut random = File::open("/dev/urandom").context("open /dev/urandom")?;
        let read = random.read_exact(&mut [0; 64 << 10]);
        read.context("read /dev/urandom")
    })?;
    ensure!(
        time.kernel > time.user,
        "{program} read /dev/urandom all the time, which is work of the kernel, and TIME has {} \
         for it",
        time.shown()
    );
    Ok(())
}

/// Is busy as this program until there are enough samples.
fn sampled(
    answer: &LoadedAnswer,
    program: &str,
    step: impl Fn() -> Result<()> + Send + Sync,
) -> Result<Time> {
    let runs = Runs::count()?;
    let time = while_busy(program, step, || {
        loop {
            let time = time_of(answer, program)?;
            if time.sum() >= ENOUGH || runs.are_enough(MANY)? {
                return Ok(time);
            }
            thread::sleep(PAUSE);
        }
    })?;
    let ran = runs.since_begin()?;
    let others = count_other_keys(answer, program)?;
    ensure!(
        time.sum() >= ENOUGH && time.sum() <= ran + runs_at_once()?,
        "{program} was busy for {} ms, in which {PROGRAM} ran {ran} times, and TIME has {} for \
         it{others}",
        runs.begin.elapsed().as_millis(),
        time.shown()
    );
    Ok(time)
}

/// Some kernels leave the bytes after the name as they were.
fn count_other_keys(answer: &LoadedAnswer, program: &str) -> Result<String> {
    let time = answer.hash_map::<[u8; 16], [u64; 2]>("TIME")?;
    let mut others = 0;
    for key in time.keys() {
        let key = key.context("read the map TIME")?;
        let is_same_name = until_nul(&key) == program.as_bytes();
        others += u32::from(is_same_name && key != comm_bytes(program));
    }
    Ok(match others {
        0 => String::new(),
        _ => format!(
            "; {others} keys have this name, and something else than zero bytes after it: is the \
             key zeroed before bpf_get_current_comm writes to it?"
        ),
    })
}

fn sleeping(answer: &mut LoadedAnswer) -> Result<()> {
    let program = work::any_name();
    let (wake_up, sleep) = mpsc::channel::<()>();
    let (here, id) = mpsc::channel();
    let sleeper = thread::Builder::new().name(program.clone()).spawn(move || {
        let _ = here.send(nix::unistd::gettid());
        // Its end is that nobody sends any more.
        let _ = sleep.recv();
    });
    let sleeper = sleeper.context("start a thread")?;
    let asleep = id
        .recv()
        .context("wait for a thread")
        .and_then(work::wait_for_sleep);
    let counted = asleep.and_then(|()| {
        let before = time_of(answer, &program)?;
        sampled(answer, &work::any_name(), || {
            Spin::Two.turn();
            Ok(())
        })?;
        Ok(time_of(answer, &program)?.sum() - before.sum())
    });
    drop(wake_up);
    let _ = sleeper.join();
    let counted = counted?;
    ensure!(
        counted == 0,
        "{program} slept, another program was busy, and TIME got {counted} samples of {program}"
    );
    Ok(())
}

fn idle(answer: &mut LoadedAnswer) -> Result<()> {
    thread::sleep(Duration::from_millis(50));
    let time = answer.hash_map::<[u8; 16], [u64; 2]>("TIME")?;
    for key in time.keys() {
        let comm = key.context("read the map TIME")?;
        ensure!(
            !comm.starts_with(b"swapper/"),
            "TIME has an entry for {}: that is the CPU when nobody wants it, whose process has the \
             id 0",
            printable(until_nul(&comm))
        );
    }
    Ok(())
}

// 09/lost-stacks

/// `bpf_get_stackid` returns the two as negative numbers.
const EFAULT: u32 = 14;
const EEXIST: u32 = 17;

fn one_stack(answer: &mut LoadedAnswer) -> Result<()> {
    spin_until_counted(answer, Spin::One)?;
    each_sample_once(answer)
}

/// Each run counts once. Samples come all the time: the two numbers of runs are before and after
/// the maps are read, and so are those of the runs that must be there.
fn each_sample_once(answer: &LoadedAnswer) -> Result<()> {
    let outer = Runs::count()?;
    let before = all_samples(answer)?;
    let inner = Runs::count()?;
    while !inner.are_enough(2 * ENOUGH)? {
        thread::sleep(PAUSE);
    }
    let least = inner.since_begin()?;
    let counted = all_samples(answer)? - before;
    let most = outer.since_begin()?;
    let at_once = runs_at_once()?;
    ensure!(
        counted + at_once >= least && counted <= most + at_once,
        "{PROGRAM} ran between {least} and {most} times, and the numbers in COUNTS and LOST went \
         up by {counted} in all"
    );
    Ok(())
}

/// What the answer has counted, with or without a stack.
fn all_samples(answer: &LoadedAnswer) -> Result<u64> {
    let lost = answer.hash_map::<u32, u64>("LOST")?;
    let lost: Result<BTreeMap<u32, u64>, MapError> = lost.iter().collect();
    let lost = lost.context("read the map LOST")?;
    Ok(counts(answer)?.values().chain(lost.values()).sum())
}

fn two_stacks(answer: &mut LoadedAnswer) -> Result<()> {
    for spin in [Spin::Two, Spin::One, Spin::Two] {
        spin_until_counted(answer, spin)?;
    }
    Ok(())
}

/// Is busy in a function until there are enough samples of it. Its stack may find no place, because
/// another one is there: what is in the map is removed from time to time, as a profiler does that
/// has read it.
fn spin_until_counted(answer: &mut LoadedAnswer, spin: Spin) -> Result<()> {
    let all = Runs::count()?;
    let step = || {
        spin.turn();
        Ok(())
    };
    while_busy(&work::any_name(), step, || {
        loop {
            clear_stacks(answer)?;
            let (runs, before) = (Runs::count()?, counts(answer)?);
            while !runs.are_enough(5 * ENOUGH)? {
                if count_since(&before, answer, spin)? >= ENOUGH {
                    return Ok(());
                }
                thread::sleep(PAUSE);
            }
            ensure!(
                !all.are_enough(2 * MANY)?,
                "process {} was busy in a function, and COUNTS has too few samples for stacks with \
                 that function on top: {} of the last {}; {}",
                std::process::id(),
                count_since(&before, answer, spin)?,
                runs.since_begin()?,
                entries_shown(answer)?
            );
        }
    })
}

/// Samples by process and stack.
type Counts = BTreeMap<[u32; 2], u64>;

fn counts(answer: &LoadedAnswer) -> Result<Counts> {
    let counts = answer.hash_map::<[u32; 2], u64>("COUNTS")?;
    let counts: Result<Counts, MapError> = counts.iter().collect();
    counts.context("read the map COUNTS")
}

/// Samples of this process since then, in stacks with the function on top.
fn count_since(before: &Counts, answer: &LoadedAnswer, spin: Spin) -> Result<u64> {
    let stacks = answer.stack_traces("STACKS")?;
    let mut sum = 0;
    for (key, samples) in counts(answer)? {
        let [process, stack] = key;
        let stack = match stacks.get(&stack, 0) {
            Ok(stack) => stack,
            Err(MapError::KeyNotFound) => continue,
            Err(error) => return Err(error).context("read the map STACKS"),
        };
        let top = stack.frames().first().map_or(0, |frame| frame.ip);
        if process == std::process::id() && spin.addresses().contains(&top) {
            sum += samples.saturating_sub(before.get(&key).copied().unwrap_or(0));
        }
    }
    Ok(sum)
}

fn entries_shown(answer: &LoadedAnswer) -> Result<String> {
    let (counts, stacks) = (counts(answer)?, answer.stack_traces("STACKS")?);
    let ids: Vec<u32> = stacks.stack_ids().flatten().collect();
    let known = counts.keys().filter(|[_, stack]| ids.contains(stack));
    Ok(format!(
        "STACKS has {} stacks, and COUNTS {} entries, {} of them with the id of such a stack",
        ids.len(),
        counts.len(),
        known.count()
    ))
}

fn clear_stacks(answer: &mut LoadedAnswer) -> Result<()> {
    let mut stacks = answer.stack_traces_mut("STACKS")?;
    let ids: Vec<u32> = stacks.stack_ids().flatten().collect();
    for id in ids {
        stacks.remove(&id).context("remove a stack from STACKS")?;
    }
    Ok(())
}

/// A CPU that has nothing to do is in the kernel, and in no process.
fn no_user_stack(answer: &mut LoadedAnswer) -> Result<()> {
    expect_lost(answer, EFAULT, "CPUs had nothing to do")
}

fn no_place(answer: &mut LoadedAnswer) -> Result<()> {
    let spin = || {
        Spin::Everywhere.turn();
        Ok(())
    };
    let did = "a program was busy in 64 places, each a stack for one of the 16 entries of STACKS,";
    while_busy(&work::any_name(), spin, || expect_lost(answer, EEXIST, did))
}

/// Waits until some more are lost for this reason.
fn expect_lost(answer: &LoadedAnswer, error: u32, did: &str) -> Result<()> {
    let (runs, before) = (Runs::count()?, lost(answer, error)?);
    while lost(answer, error)? < before + 3 {
        ensure!(
            !runs.are_enough(MANY)?,
            "{did} while {PROGRAM} ran {} times, and the number for error {error} in LOST went \
             from {before} to {}",
            runs.since_begin()?,
            lost(answer, error)?
        );
        thread::sleep(PAUSE);
    }
    Ok(())
}

fn lost(answer: &LoadedAnswer, error: u32) -> Result<u64> {
    match answer.hash_map::<u32, u64>("LOST")?.get(&error, 0) {
        Ok(count) => Ok(count),
        Err(MapError::KeyNotFound) => Ok(0),
        Err(error) => Err(error).context("read the map LOST"),
    }
}
