//! What watching a call costs: how long the call takes, and how much of that the kernel spends
//! inside the eBPF programs.

use std::fs;
use std::io;
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use libbpf_rs::libbpf_sys::{BPF_STATS_RUN_TIME, bpf_enable_stats};
use libbpf_rs::query::ProgInfoIter;

use crate::say;

/// Many short bursts: what disturbs the machine hits a few, and the median leaves those out.
const BURSTS: usize = 15;
/// Calls of a burst.
const CALLS: u32 = 30;

/// What one call took in each burst.
#[derive(Default)]
pub struct CallCost {
    whole: Vec<Duration>,
    programs: Vec<Duration>,
}

impl CallCost {
    pub fn measure_call(&mut self, call: fn()) {
        // The first calls after the kernel patched a function find cold caches.
        measure_burst(call);
        for _ in 0..BURSTS {
            self.whole.push(measure_burst(call));
        }
    }

    /// `programs` all run once for each call. The kernel cuts their names to 15 bytes.
    pub fn measure_with(&mut self, programs: &[&str], call: fn()) -> Result<()> {
        self.measure_call(call);
        // The kernel's account reads the clock twice a run, so it is on only from here.
        let account = enable_run_time_stats()?;
        measure_burst(call);
        for _ in 0..BURSTS {
            let (time, runs) = sum_run_times(programs);
            measure_burst(call);
            let (time_after, runs_after) = sum_run_times(programs);
            let calls = (runs_after - runs) / programs.len() as u64;
            let calls = u32::try_from(calls)?;
            ensure!(
                calls >= CALLS,
                "cannot measure {programs:?}: they ran for {calls} of {CALLS} calls"
            );
            self.programs.push((time_after - time) / calls);
        }
        drop(account);
        Ok(())
    }

    /// A row of [`show_costs`]: what a call takes, relative to `bare`; what was added to that; and
    /// how much of it is spent in the programs. Nanoseconds follow, unless the CPU is emulated:
    /// then they mean nothing.
    fn format_row(&self, name: &str, bare: &Self) -> String {
        let unit = median(&bare.whole);
        let whole = median(&self.whole);
        let relative = whole.div_duration_f64(unit);
        let mut row = format!("{name:<24} {relative:>8.2}");
        if !self.programs.is_empty() {
            let added = relative - 1.0;
            let programs = median(&self.programs).div_duration_f64(unit);
            row += &format!(" {added:>8.2} {programs:>8.2}");
        }
        if !is_emulated() {
            row += &format!("   ({} ns)", whole.as_nanos());
        }
        row
    }
}

/// A table with a row for each cost; the first is that of the call with nothing attached.
pub fn show_costs(call: &str, costs: &[(&str, &CallCost)]) -> Result<()> {
    let Some((_, bare)) = costs.first() else {
        return Ok(());
    };
    let bursts = bare.whole.len();
    say(&format!("cost of one call that {call}"))?;
    say(&format!("medians of {bursts} bursts of {CALLS} calls\n"))?;
    say("attached                 one call    added   of that in the programs")?;
    for (name, cost) in costs {
        say(&cost.format_row(name, bare))?;
    }
    say("\nThe unit is the call with nothing attached. The last column is the time inside the")?;
    say("programs, as the kernel counts it (BPF_ENABLE_STATS); the rest of what is added is the")?;
    say("way into the programs and back.")
}

fn measure_burst(call: fn()) -> Duration {
    let begin = Instant::now();
    for _ in 0..CALLS {
        call();
    }
    begin.elapsed() / CALLS
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

/// How long and how often these programs ran.
fn sum_run_times(programs: &[&str]) -> (Duration, u64) {
    let (mut nanoseconds, mut runs) = (0, 0);
    for info in ProgInfoIter::default() {
        if programs.iter().any(|name| info.name == **name) {
            nanoseconds += info.run_time_ns;
            runs += info.run_cnt;
        }
    }
    (Duration::from_nanos(nanoseconds), runs)
}

/// For as long as this is open; the kernel closes it with the process, however that ends.
fn enable_run_time_stats() -> Result<OwnedFd> {
    // SAFETY: takes a number.
    let fd = unsafe { bpf_enable_stats(BPF_STATS_RUN_TIME) };
    if fd < 0 {
        let error = io::Error::last_os_error();
        bail!("cannot switch on the run-time statistics: {error}");
    }
    // SAFETY: the kernel has just created it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn is_emulated() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_relative_to_the_bare_call() {
        let of = |times: [u64; 3]| times.map(Duration::from_nanos).to_vec();
        let bare = CallCost {
            whole: of([90, 500, 100]),
            programs: Vec::new(),
        };
        let watched = CallCost {
            whole: of([150, 9_000, 90]),
            programs: of([25, 0, 70]),
        };
        let row = watched.format_row("fentry", &bare);
        assert!(
            row.starts_with("fentry                       1.50     0.50     0.25"),
            "{row}"
        );
        let row = bare.format_row("nothing", &bare);
        assert!(
            row.starts_with("nothing                      1.00"),
            "{row}"
        );
    }
}
