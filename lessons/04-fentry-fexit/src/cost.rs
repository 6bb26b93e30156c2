//! What watching costs: the same call with nothing attached, and with each way.

use std::fs::{self, File};
use std::os::fd::{FromRawFd as _, OwnedFd};
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use common::say;
use libbpf_rs::libbpf_sys::{BPF_STATS_RUN_TIME, bpf_enable_stats};
use serde_json::json;

use crate::tracer::{self, Tracer, Way};

/// Odd, so that the median is a value that was measured.
const ROUNDS: usize = 5;
const CALLS: u32 = 200;
/// A call that does little, so that what is added can be seen.
const FILE: &str = "/proc/missing";

pub fn measure(tracer: &mut dyn Tracer, ways: &[Way], as_json: bool) -> Result<()> {
    let (bare, watched) = in_turn(tracer, ways)?;
    let accounts = ways.iter().map(|&way| account(tracer, way)).collect::<Result<Vec<_>>>()?;
    if as_json {
        return say_json(ways, bare, &watched, &accounts);
    }
    say(&format!("cost       of one call that opens {FILE}, which is not there;"))?;
    say(&format!(
        "           medians of {ROUNDS} rounds of {CALLS} calls, taken in turn; no event is sent\n"
    ))?;
    say("attached                 one call    added   of it in the programs")?;
    say(&format!("nothing                  {:>8.2}{}", 1.0, nanos(bare)))?;
    for ((way, time), own) in ways.iter().zip(&watched).zip(&accounts) {
        let added = time.as_secs_f64() - bare.as_secs_f64();
        let [whole, added, own] =
            [time.as_secs_f64(), added, own.as_secs_f64()].map(|time| time / bare.as_secs_f64());
        say(&format!("{:<24} {whole:>8.2} {added:>8.2} {own:>8.2}{}", way.pair(), nanos(*time)))?;
    }
    say(
        "\nIn units of the call with nothing attached. The last column is the kernel's own account of the time",
    )?;
    say(
        "inside the two programs (BPF_ENABLE_STATS, counted apart); the rest is the way into them and out again.",
    )
}

/// Whatever else the machine does, it does to all of them.
fn in_turn(tracer: &mut dyn Tracer, ways: &[Way]) -> Result<(Duration, Vec<Duration>)> {
    let mut bare = Vec::new();
    let mut watched = vec![Vec::new(); ways.len()];
    for _ in 0..ROUNDS {
        bare.push(one_call());
        for (&way, times) in ways.iter().zip(&mut watched) {
            tracer::attach(tracer, way)?;
            times.push(one_call());
            tracer.detach(way);
        }
    }
    Ok((median(bare), watched.into_iter().map(median).collect()))
}

fn one_call() -> Duration {
    // The first calls after patching the function find cold caches.
    (0..CALLS / 10).for_each(|_| open());
    let begin = Instant::now();
    (0..CALLS).for_each(|_| open());
    begin.elapsed() / CALLS
}

fn open() {
    let _ = File::open(FILE);
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort();
    times[times.len() / 2]
}

/// The kernel's own account of what both programs of a way take for one call; a median, too. It reads the clock twice
/// a run, so it is not kept while the calls are measured.
fn account(tracer: &mut dyn Tracer, way: Way) -> Result<Duration> {
    let accounting = keep_account()?;
    tracer::attach(tracer, way)?;
    one_call();
    let times = (0..ROUNDS).map(|_| {
        let before = tracer.run_time(way)?;
        one_call();
        let after = tracer.run_time(way)?;
        let calls = (after.runs - before.runs) / 2;
        ensure!(calls >= u64::from(CALLS), "measure {}: it saw {calls} of {CALLS} calls", way.pair());
        Ok(Duration::from_nanos((after.time - before.time).as_nanos() as u64 / calls))
    });
    let times = times.collect::<Result<Vec<_>>>()?;
    tracer.detach(way);
    drop(accounting);
    Ok(median(times))
}

/// For as long as this is open; the kernel closes it with the process, however that ends.
fn keep_account() -> Result<OwnedFd> {
    // SAFETY: takes a number.
    let fd = unsafe { bpf_enable_stats(BPF_STATS_RUN_TIME) };
    if fd < 0 {
        bail!("switch on the run-time statistics: {}", std::io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, for nobody else.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn say_json(ways: &[Way], bare: Duration, watched: &[Duration], accounts: &[Duration]) -> Result<()> {
    let of_way = |((way, time), own): ((&Way, &Duration), &Duration)| {
        json!({
            "way": way.pair(), "one_call_ns": time.as_nanos() as u64,
            "ratio": time.as_secs_f64() / bare.as_secs_f64(),
            "programs_ns": own.as_nanos() as u64,
        })
    };
    let ways: Vec<_> = ways.iter().zip(watched).zip(accounts).map(of_way).collect();
    say(&json!({"event": "cost", "emulated": is_emulated(), "bare_ns": bare.as_nanos() as u64, "ways": ways})
        .to_string())
}

/// An emulated CPU's nanoseconds mean nothing.
fn nanos(time: Duration) -> String {
    if is_emulated() { String::new() } else { format!("   ({} ns)", time.as_nanos()) }
}

fn is_emulated() -> bool {
    fs::read_to_string("/proc/cpuinfo").is_ok_and(|text| text.contains("QEMU TCG"))
}
