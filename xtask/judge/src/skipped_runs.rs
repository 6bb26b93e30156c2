//! Events for which the kernel did not run a program, although it is attached.
//!
//! A kprobe or tracepoint program is skipped while `bpf_prog_active` of its CPU is not 0: while a
//! thread was preempted inside a map operation of bpf(2) there, which is possible where the kernel
//! itself can be preempted, as in Debian's 6.18 and 7.3. From Linux 7.2 on, the tracepoints of
//! system calls do not ask that number, but their programs can be preempted, and another thread of
//! that CPU does not enter a program that was preempted there. No answer can do anything about it,
//! and the kernel counts it: `recursion_misses`.

use std::time::{Duration, Instant};

use anyhow::Result;
use libbpf_rs::query::ProgInfoIter;
use plan::judge::Said;

use crate::check::{Check, Say};

/// How often a check is done at most. Where threads that read without a pause are preempted ten
/// thousand times a second, six of ten tries miss an event.
const TRIES: usize = 20;

/// No check is begun again after this time: some take seconds.
const LIMIT: Duration = Duration::from_secs(10);

/// Does a check; again, which is said, if it failed and the kernel skipped a program meanwhile.
pub fn run_unless_skipped<A>(check: &Check<A>, answer: &mut A, say: Say<'_>) -> Result<()> {
    let say_again = || say(&Said::Again);
    repeat_if_skipped(count_skipped_runs, say_again, || (check.holds)(answer))
}

fn repeat_if_skipped(
    count: impl Fn() -> u64,
    mut say_again: impl FnMut() -> Result<()>,
    mut holds: impl FnMut() -> Result<()>,
) -> Result<()> {
    let begin = Instant::now();
    let mut tried = 0;
    loop {
        let before = count();
        let held = holds();
        tried += 1;
        let is_spoilt = held.is_err() && count() > before;
        if !is_spoilt || tried == TRIES || begin.elapsed() > LIMIT {
            return held;
        }
        say_again()?;
    }
}

/// Of all programs in the kernel: in a VM there are only those of the answer. Linux 5.10 counts
/// none, and up to 6.6 no kernel counts those of kprobes and tracepoints; Debian's kernels of that
/// time do not preempt themselves.
fn count_skipped_runs() -> u64 {
    ProgInfoIter::default()
        .map(|program| program.recursion_misses)
        .sum()
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use anyhow::ensure;

    use super::*;

    /// How often a check is done that holds at this try, where this many tries meet a skipped run;
    /// and whether it held.
    fn tries(holds_at: usize, skipped: usize) -> (usize, bool) {
        let (tried, said) = (Cell::new(0), Cell::new(0));
        let held = repeat_if_skipped(
            || tried.get().min(skipped) as u64,
            || {
                said.set(said.get() + 1);
                Ok(())
            },
            || {
                tried.set(tried.get() + 1);
                ensure!(tried.get() >= holds_at, "an event is missing");
                Ok(())
            },
        );
        assert_eq!(said.get() + 1, tried.get(), "each other try is told");
        (tried.get(), held.is_ok())
    }

    #[test]
    fn a_check_that_missed_an_event_which_the_kernel_skipped_is_done_again() {
        assert_eq!(tries(1, 0), (1, true));
        assert_eq!(tries(1, 1), (1, true));
        assert_eq!(tries(3, 2), (3, true));
    }

    #[test]
    fn an_answer_that_is_wrong_stays_wrong() {
        assert_eq!(tries(usize::MAX, 0), (1, false));
        assert_eq!(tries(usize::MAX, 1), (2, false));
        assert_eq!(tries(usize::MAX, usize::MAX), (TRIES, false));
        assert_eq!(tries(3, 1), (2, false));
    }
}
