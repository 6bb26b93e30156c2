//! Counts the files that each process opens: loads the eBPF program, attaches it, prints its map.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, Result, ensure};
use aya::{Btf, Ebpf, maps::PerCpuHashMap, programs::Lsm};

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
    // Without `bpf` among the kernel's security modules, the program is never called.
    let modules = fs::read_to_string("/sys/kernel/security/lsm")?;
    ensure!(
        modules.contains("bpf"),
        "start the kernel with lsm={},bpf",
        modules.trim()
    );
    let program = ebpf.program_mut("count").context("no `count`")?;
    let program: &mut Lsm = program.try_into()?;
    program.load("file_open", &Btf::from_sys_fs()?)?;
    program.attach()?;

    // So that there is something to see at once.
    for _ in 0..3 {
        File::open("/proc/self/comm")?;
    }
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
fn its_own_files_are_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&std::process::id()] >= 3, "{counts:?}");
}
