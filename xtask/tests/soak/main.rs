//! Runs whose outcome is known, good and bad, one after the other, over all kernels: is the tool
//! ever wrong, does it ever hang, and does it leave anything?
//!
//! ```text
//!   known     what is run, and what must come of it
//!   watched   one run: its time limit, what it tried again, what it left
//!   places    where something can be left: temporary files, the cache, shared memory
//!   tally     the table
//! ```
//!
//! The number of a round and the seed decide what is run, and all that is drawn in it. So a round
//! can be repeated alone, as far as chance is the test's and not the machine's.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

#[path = "../common/mod.rs"]
mod common;
mod known;
mod places;
mod tally;
mod watched;

use std::env;
use std::hint;
use std::io::Write as _;
use std::panic::{self, AssertUnwindSafe};
use std::str::FromStr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Instant;

use known::{Course, KINDS, Round, SMALL};
use tally::Tally;

/// `XTASK_SOAK`: how many rounds; without it, each kernel is met twice. `XTASK_SOAK_SEED`: what is
/// drawn in them. `XTASK_SOAK_FROM`: the round to go on with, after an end before its time.
/// `XTASK_SOAK_ROUND`: only this one. `XTASK_SOAK_LOAD`: so many busy threads beside them.
#[test]
#[ignore = "needs a VM: XTASK_SOAK=1000 cargo test -p xtask --test soak -- --ignored --nocapture"]
fn soak() {
    let seed = number("XTASK_SOAK_SEED", 1);
    let rounds = match env::var_os("XTASK_SOAK_ROUND") {
        Some(_) => {
            let round = number("XTASK_SOAK_ROUND", 0);
            round..round + 1
        }
        None => number("XTASK_SOAK_FROM", 0)..number("XTASK_SOAK", SMALL),
    };
    let course = Course::build(rounds.end <= SMALL);
    let busy = AtomicBool::new(true);
    let tally = thread::scope(|scope| {
        for _ in 0..number("XTASK_SOAK_LOAD", 0) {
            scope.spawn(|| {
                while busy.load(Ordering::Relaxed) {
                    hint::spin_loop();
                }
            });
        }
        let tally = panic::catch_unwind(AssertUnwindSafe(|| run_rounds(&course, seed, rounds)));
        // The scope waits for them.
        busy.store(false, Ordering::Relaxed);
        tally
    });
    let tally = tally.unwrap_or_else(|cause| panic::resume_unwind(cause));
    tell(&tally.as_text());
    assert_eq!(tally.wrong(), [""; 0]);
}

fn run_rounds(course: &Course, seed: u64, rounds: std::ops::Range<u64>) -> Tally {
    let mut tally = Tally::default();
    for number in rounds {
        let round = Round {
            kind: KINDS[usize::try_from(number).unwrap() % KINDS.len()],
            kernel: kernel::MATRIX[usize::try_from(number).unwrap() % kernel::MATRIX.len()],
            seed,
            number,
        };
        let begin = Instant::now();
        // One that fails in another way than by a wrong outcome counts too.
        let runs = panic::catch_unwind(AssertUnwindSafe(|| course.run_round(&round)));
        let seconds = begin.elapsed().as_secs_f64();
        match runs {
            Ok(runs) => {
                for run in runs {
                    if !run.faults.is_empty() {
                        tell(&run.as_text(&round));
                    }
                    tally.add_run(&round, &run);
                }
            }
            Err(_) => tally.add_panic(&round),
        }
        tally.add_seconds(round.kind, seconds);
        // A long test is watched, and may be ended before its time.
        if number % 20 == 19 {
            tell(&format!(
                "{}go on from here: XTASK_SOAK_FROM={}",
                tally.as_text(),
                number + 1
            ));
        }
    }
    tally
}

fn number<T: FromStr>(variable: &str, otherwise: T) -> T {
    match env::var(variable) {
        Ok(text) => text
            .parse()
            .unwrap_or_else(|_| panic!("{variable} is no number: {text}")),
        Err(_) => otherwise,
    }
}

/// To standard error of the process itself: the test harness keeps the rest of a test that passes.
fn tell(text: &str) {
    let mut stderr = std::io::stderr();
    writeln!(stderr, "{text}").unwrap();
}

/// Each kind meets each kernel.
#[test]
fn every_kind_meets_every_kernel() {
    let mut met = std::collections::BTreeSet::new();
    for number in 0..KINDS.len() * kernel::MATRIX.len() {
        met.insert((number % KINDS.len(), number % kernel::MATRIX.len()));
    }
    assert_eq!(met.len(), KINDS.len() * kernel::MATRIX.len());
}
