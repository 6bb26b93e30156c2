//! What watching costs: the same call with nothing attached, and with each way.

use std::fs::{self, File};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use common::{Implementation, say};
use libbpf_rs::libbpf_sys::{BPF_STATS_RUN_TIME, bpf_enable_stats};
use serde_json::json;

use crate::tracer::{self, Settings, Tracer, Way};

/// Odd, so that the median is a value that was measured.
const ROUNDS: usize = 3;
/// Many short ones in each round: what disturbs the machine hits a few, and the median leaves those
/// out.
const BURSTS: usize = 15;
const CALLS: u32 = 30;
/// A call that does little, so that what is added can be seen.
const FILE: &str = "/proc/missing";

/// What one call took in each round.
struct Times {
    bare: Vec<Duration>,
    ways: Vec<OfWay>,
}

struct OfWay {
    way: Way,
    watched: Vec<Duration>,
    /// Of that, inside the programs.
    own: Vec<Duration>,
}

pub fn measure(implementation: Implementation, settings: &Settings, as_json: bool) -> Result<()> {
    let of_way = |&way: &Way| OfWay {
        way,
        watched: Vec::new(),
        own: Vec::new(),
    };
    let mut times = Times {
        bare: Vec::new(),
        ways: settings.ways.iter().map(of_way).collect(),
    };
    for _ in 0..ROUNDS {
        // Linux 5.10 attaches a fentry program once and never again, so each round loads new ones.
        tracer::with(implementation, settings, |tracer| times.round(tracer))?;
    }
    if as_json {
        times.say_json()
    } else {
        times.say()
    }
}

impl Times {
    /// Each in turn: whatever else the machine does, it does to all of them.
    fn round(&mut self, tracer: &mut dyn Tracer) -> Result<()> {
        self.bare.extend(bursts());
        for OfWay { way, watched, own } in &mut self.ways {
            tracer::attach(tracer, *way)?;
            watched.extend(bursts());
            own.extend(own_times(tracer, *way)?);
            tracer.detach(*way);
        }
        Ok(())
    }

    fn say(&self) -> Result<()> {
        let bare = median(&self.bare);
        say(&format!(
            "cost       of one call that opens {FILE}, which is not there;"
        ))?;
        say(&format!(
            "           medians of {} bursts of {CALLS} calls, in {ROUNDS} rounds; no event is sent\n",
            ROUNDS * BURSTS
        ))?;
        say("attached                 one call    added   of it in the programs")?;
        say(&format!(
            "nothing                  {:>8.2}{}",
            1.0,
            nanos(bare)
        ))?;
        for OfWay { way, watched, own } in &self.ways {
            let (watched, own) = (median(watched), median(own));
            let [whole, own] = [watched, own].map(|time| time.as_secs_f64() / bare.as_secs_f64());
            let added = whole - 1.0;
            say(&format!(
                "{:<24} {whole:>8.2} {added:>8.2} {own:>8.2}{}",
                way.pair(),
                nanos(watched)
            ))?;
        }
        say(
            "\nIn units of the call with nothing attached. The last column is the kernel's own account of the time",
        )?;
        say(
            "inside the two programs (BPF_ENABLE_STATS, counted apart); the rest is the way into them and out again.",
        )
    }

    fn say_json(&self) -> Result<()> {
        let bare = median(&self.bare);
        let of_way = |OfWay { way, watched, own }: &OfWay| {
            let (watched, own) = (median(watched), median(own));
            json!({
                "way": way.pair(), "one_call_ns": nanoseconds(watched), "programs_ns": nanoseconds(own),
                "ratio": watched.as_secs_f64() / bare.as_secs_f64(),
            })
        };
        let ways: Vec<_> = self.ways.iter().map(of_way).collect();
        let line = json!({
            "event": "cost", "emulated": is_emulated(), "bare_ns": nanoseconds(bare), "ways": ways,
        });
        say(&line.to_string())
    }
}

/// What one call took in each burst.
fn bursts() -> Vec<Duration> {
    // The first calls after patching the function find cold caches.
    burst();
    (0..BURSTS).map(|_| burst()).collect()
}

fn burst() -> Duration {
    let begin = Instant::now();
    (0..CALLS).for_each(|_| open());
    begin.elapsed() / CALLS
}

fn open() {
    let _ = File::open(FILE);
}

fn median(times: &[Duration]) -> Duration {
    let mut times = times.to_vec();
    times.sort();
    times[times.len() / 2]
}

/// The kernel's own account of what both programs take for one call. It reads the clock twice a
/// run, so it is not kept while the calls are measured.
fn own_times(tracer: &dyn Tracer, way: Way) -> Result<Vec<Duration>> {
    let accounting = keep_account()?;
    burst();
    let mut times = Vec::new();
    for _ in 0..BURSTS {
        let before = tracer.run_time(way)?;
        burst();
        let after = tracer.run_time(way)?;
        // Two programs a call.
        let runs = u32::try_from(after.runs - before.runs).context("count the programs' runs")?;
        ensure!(
            runs >= 2 * CALLS,
            "measure {}: they ran {runs} times in {CALLS} calls",
            way.pair()
        );
        times.push((after.time - before.time) / (runs / 2));
    }
    drop(accounting);
    Ok(times)
}

/// For as long as this is open; the kernel closes it with the process, however that ends.
fn keep_account() -> Result<OwnedFd> {
    // SAFETY: takes a number.
    let fd = unsafe { bpf_enable_stats(BPF_STATS_RUN_TIME) };
    if fd < 0 {
        bail!(
            "switch on the run-time statistics: {}",
            std::io::Error::last_os_error()
        );
    }
    // SAFETY: the kernel has just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

/// An emulated CPU's nanoseconds mean nothing.
fn nanos(time: Duration) -> String {
    if is_emulated() {
        String::new()
    } else {
        format!("   ({} ns)", time.as_nanos())
    }
}

fn is_emulated() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"))
}
