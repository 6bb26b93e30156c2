//! Counts how often each process is on a CPU when a clock ticks: loads the eBPF program, attaches
//! it, prints its map.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};
use std::{env, thread};

use anyhow::{Context as _, Result};
use aya::maps::PerCpuHashMap;
use aya::programs::PerfEvent;
use aya::programs::perf_event::{PerfEventConfig, PerfEventScope, SamplePolicy, SoftwareEvent};
use aya::{Ebpf, util::online_cpus};

/// With a number as its argument, the program watches for so many seconds.
fn main() -> Result<()> {
    let seconds = env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    for (pid, number) in count(Duration::from_secs(seconds))? {
        println!("process {pid}: {number}");
    }
    Ok(())
}

fn count(time: Duration) -> Result<BTreeMap<u32, u64>> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/count"));
    let mut ebpf = Ebpf::load(object).context("cannot load the program: are you root?")?;
    let program = ebpf.program_mut("count").context("no `count`")?;
    let program: &mut PerfEvent = program.try_into()?;
    program.load()?;
    let clock = PerfEventConfig::Software(SoftwareEvent::CpuClock);
    let per_second = SamplePolicy::Frequency(100);
    for cpu in online_cpus().map_err(|(_, error)| error)? {
        let scope = PerfEventScope::AllProcessesOneCpu { cpu };
        program.attach(clock, scope, per_second, false)?;
    }

    // So that there is something to see at once.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(300) {}
    thread::sleep(time);

    let map = ebpf.map("COUNTS").context("no `COUNTS`")?;
    let mut counts = BTreeMap::new();
    for entry in PerCpuHashMap::<_, u32, u64>::try_from(map)?.iter() {
        let (pid, numbers) = entry?;
        counts.insert(pid, numbers.iter().sum());
    }
    Ok(counts)
}

#[cfg(test)]
#[test]
fn its_own_time_is_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&std::process::id()] >= 3, "{counts:?}");
}
