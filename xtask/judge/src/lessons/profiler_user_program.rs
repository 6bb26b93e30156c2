//! Lesson 09, the exercises of user-space programs.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use aya::maps::PerCpuArray;

use crate::check::Check;
use crate::exercise::{Judge, JudgedExercise};
use crate::loaded::loaded_map;
use crate::user_program::UserProgram;
use crate::user_program_exercise::UserProgramExercise;

/// For samples to come. This is for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(10);

/// How long samples are counted.
const WINDOW: Duration = Duration::from_millis(300);

/// Times that this is done: a machine that is very busy skips samples.
const WINDOWS: u32 = 30;

/// One CPU has so many samples before another one has any: that one has no event.
const FAR_AHEAD: u64 = 30;

pub const EXERCISES: &[JudgedExercise] = &[JudgedExercise {
    name: "09/every-cpu",
    judge: Judge::UserProgram(UserProgramExercise {
        arguments: any_rate,
        programs: &["on_sample"],
        checks: &[
            Check {
                says: "takes samples on each CPU",
                holds: each_cpu,
            },
            Check {
                says: "takes them at the rate that it is told",
                holds: first_rate,
            },
            Check {
                says: "changes the rate",
                holds: other_rates,
            },
            Check {
                says: "takes no samples at a rate of 0",
                holds: rate_of_zero,
            },
        ],
    }),
}];

fn any_rate() -> Vec<String> {
    vec![fastrand::u64(35..45).to_string()]
}

fn each_cpu(_answer: &mut UserProgram) -> Result<()> {
    let (begin, before) = (Instant::now(), samples()?);
    loop {
        let counts = growth(&before, &samples()?);
        if counts.iter().all(|&count| count >= 3) {
            return Ok(());
        }
        let is_far_ahead = counts.iter().any(|&count| count >= FAR_AHEAD);
        ensure!(
            !is_far_ahead && begin.elapsed() < LIMIT,
            "after {} ms {}",
            begin.elapsed().as_millis(),
            shown(&counts)
        );
        thread::sleep(Duration::from_millis(10));
    }
}

fn first_rate(answer: &mut UserProgram) -> Result<()> {
    let rate = answer.arguments[0].parse().context("read a rate")?;
    expect_rate(rate)
}

/// Each is far from the one before it.
fn other_rates(answer: &mut UserProgram) -> Result<()> {
    for rate in [fastrand::u64(120..150), fastrand::u64(60..75)] {
        answer.order(&format!("rate {rate}"))?;
        expect_rate(rate)?;
    }
    Ok(())
}

fn rate_of_zero(answer: &mut UserProgram) -> Result<()> {
    answer.order("rate 0")?;
    let before = samples()?;
    thread::sleep(WINDOW);
    let counts = growth(&before, &samples()?);
    ensure!(
        counts.iter().all(|&count| count == 0),
        "it was told `rate 0`, and in the next {} ms {}",
        WINDOW.as_millis(),
        shown(&counts)
    );
    let rate = fastrand::u64(35..45);
    answer.order(&format!("rate {rate}"))?;
    expect_rate(rate)
}

/// No more than the rate on any CPU, ever. Fewer are possible where a machine is busy, so that is
/// tried some times.
fn expect_rate(rate: u64) -> Result<()> {
    let mut counts = Vec::new();
    for _ in 0..WINDOWS {
        let (begin, before) = (Instant::now(), samples()?);
        thread::sleep(WINDOW);
        counts = growth(&before, &samples()?);
        let expected = rate as f64 * begin.elapsed().as_secs_f64();
        let at_most = expected as u64 + 2;
        ensure!(
            counts.iter().all(|&count| count <= at_most),
            "at {rate} Hz there are at most {at_most} samples on a CPU in {} ms, and {}",
            begin.elapsed().as_millis(),
            shown(&counts)
        );
        let at_least = (expected * 0.7) as u64;
        if counts.iter().all(|&count| count >= at_least) {
            return Ok(());
        }
    }
    anyhow::bail!(
        "at {rate} Hz there are about {} samples on a CPU in {} ms, and {}",
        rate * WINDOW.as_millis() as u64 / 1000,
        WINDOW.as_millis(),
        shown(&counts)
    )
}

/// What has been counted on each CPU.
fn samples() -> Result<Vec<u64>> {
    let map = loaded_map("SAMPLES")?;
    let samples = PerCpuArray::<_, u64>::try_from(&map).context("read the map SAMPLES")?;
    Ok(samples.get(&0, 0).context("read the map SAMPLES")?.to_vec())
}

fn growth(before: &[u64], after: &[u64]) -> Vec<u64> {
    before
        .iter()
        .zip(after)
        .map(|(before, after)| after - before)
        .collect()
}

fn shown(counts: &[u64]) -> String {
    let on_each = (0..)
        .zip(counts)
        .map(|(cpu, count): (u32, _)| format!("{count} on CPU {cpu}"));
    format!("SAMPLES got {}", on_each.collect::<Vec<_>>().join(" and "))
}
