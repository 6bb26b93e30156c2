//! How long to wait for a guest: a time in which it can run. What QEMU spends in the queue for a
//! CPU, because the machine has much else to do, does not count.

use std::collections::HashMap;
use std::ffi::OsString;
use std::fs;
use std::time::{Duration, Instant};

/// However busy the machine is, nobody waits for more than so many times the limit.
const MOST: u32 = 10;

/// A limit, from now on.
pub struct Patience {
    begin: Instant,
    limit: Duration,
    process: u32,
    /// What each of its threads had spent in the queue before.
    queued_before: QueueTimes,
}

impl Patience {
    pub fn begin_waiting(process: u32, limit: Duration) -> Self {
        Self {
            begin: Instant::now(),
            limit,
            process,
            queued_before: times_in_queue(process),
        }
    }

    /// When it ends if the process gets all the CPU time that it can use.
    pub fn earliest_end(&self) -> Instant {
        self.begin + self.limit
    }

    /// When it ends, as far as is known now. To be asked again then: it may have become later.
    pub fn end(&self) -> Instant {
        let before = |thread| self.queued_before.get(thread).copied().unwrap_or_default();
        let times = times_in_queue(self.process);
        let since = times
            .iter()
            .map(|(thread, time)| time.saturating_sub(before(thread)));
        // An emulated guest runs in one thread.
        let queued = since.max().unwrap_or_default();
        self.earliest_end() + queued.min(self.limit * (MOST - 1))
    }

    pub fn is_over(&self) -> bool {
        let now = Instant::now();
        now >= self.earliest_end() && now >= self.end()
    }

    pub fn waited(&self) -> Duration {
        self.begin.elapsed()
    }
}

/// By thread.
type QueueTimes = HashMap<OsString, Duration>;

/// What each thread of a process has spent ready to run, and not running. A kernel that does not
/// count it has no such time.
fn times_in_queue(process: u32) -> QueueTimes {
    let Ok(threads) = fs::read_dir(format!("/proc/{process}/task")) else {
        return QueueTimes::new();
    };
    let times = threads.flatten().filter_map(|thread| {
        // Nanoseconds on a CPU, nanoseconds in the queue, turns.
        let figures = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        let queued = figures.split_whitespace().nth(1)?.parse().ok()?;
        Some((thread.file_name(), Duration::from_nanos(queued)))
    });
    times.collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Child, Command, Stdio};
    use std::thread::sleep;

    use nix::sched::{CpuSet, sched_getaffinity};
    use nix::unistd::Pid;

    use super::*;

    const LIMIT: Duration = Duration::from_millis(300);

    /// How much later the end is, for a process, after this time.
    fn extension_for(child: &mut Child, time: Duration) -> Duration {
        let patience = Patience::begin_waiting(child.id(), LIMIT);
        sleep(time);
        let extension = patience.end() - patience.earliest_end();
        child.kill().unwrap();
        child.wait().unwrap();
        extension
    }

    #[test]
    fn who_gets_no_cpu_is_waited_for() {
        let allowed = sched_getaffinity(Pid::from_raw(0)).unwrap();
        let cpu = (0..CpuSet::count()).find(|&cpu| allowed.is_set(cpu).unwrap());
        // All on one CPU: each gets a part of it.
        let busy = || {
            let mut program = Command::new("taskset");
            program.args(["-c", &cpu.unwrap().to_string(), "yes"]);
            program.stdout(Stdio::null()).spawn().unwrap()
        };
        let mut others: Vec<_> = (0..4).map(|_| busy()).collect();
        let extension = extension_for(&mut busy(), Duration::from_millis(600));
        for other in &mut others {
            other.kill().unwrap();
            other.wait().unwrap();
        }
        assert!(extension > LIMIT / 3, "{extension:?}");
        assert!(extension <= LIMIT * (MOST - 1), "{extension:?}");
    }

    #[test]
    fn who_only_sleeps_is_not_waited_for() {
        let mut sleeper = Command::new("sleep").arg("9").spawn().unwrap();
        let stat = format!("/proc/{}/stat", sleeper.id());
        while !fs::read_to_string(&stat).unwrap().contains("(sleep) S") {
            sleep(Duration::from_millis(5));
        }
        let extension = extension_for(&mut sleeper, LIMIT);
        assert!(extension < LIMIT / 3, "{extension:?}");
    }
}
