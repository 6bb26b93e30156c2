//! Counts the files that each process opens: loads the eBPF program, attaches it, prints its map.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::mem::MaybeUninit;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, Result, ensure};
use libbpf_rs::skel::{OpenSkel as _, Skel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags};

mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/count.skel.rs"));
}

/// With a number as its argument, the program watches for so many seconds.
fn main() -> Result<()> {
    let seconds = env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    for (pid, number) in count(Duration::from_secs(seconds))? {
        println!("process {pid}: {number}");
    }
    Ok(())
}

fn count(time: Duration) -> Result<BTreeMap<u32, u64>> {
    let mut storage = MaybeUninit::uninit();
    let open = skeleton::CountSkelBuilder::default().open(&mut storage)?;
    let mut skeleton = open
        .load()
        .context("cannot load the program: are you root?")?;
    // Without `bpf` among the kernel's security modules, the program is never called.
    let modules = fs::read_to_string("/sys/kernel/security/lsm")?;
    ensure!(
        modules.contains("bpf"),
        "start the kernel with lsm={},bpf",
        modules.trim()
    );
    // The program's section says to what.
    skeleton.attach()?;

    // So that there is something to see at once.
    for _ in 0..3 {
        File::open("/proc/self/comm")?;
    }
    thread::sleep(time);

    let mut counts = BTreeMap::new();
    for key in skeleton.maps.counts.keys() {
        let numbers = skeleton.maps.counts.lookup_percpu(&key, MapFlags::ANY)?;
        let mut sum = 0;
        for number in numbers.unwrap_or_default() {
            sum += u64::from_ne_bytes(number[..8].try_into()?);
        }
        counts.insert(u32::from_ne_bytes(key[..4].try_into()?), sum);
    }
    Ok(counts)
}

#[cfg(test)]
#[test]
fn its_own_files_are_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&std::process::id()] >= 3, "{counts:?}");
}
