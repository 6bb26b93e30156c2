//! Counts the calls of a function in a program: loads the eBPF program, attaches it, prints its
//! map.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::mem::MaybeUninit;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags, UprobeOpts};

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
    let skeleton = open
        .load()
        .context("cannot load the program: are you root?")?;
    let function = UprobeOpts {
        func_name: Some("work".to_owned()),
        ..Default::default()
    };
    // -1: in every process that runs this file. Dropping the link detaches the program.
    let program = &skeleton.progs.count;
    let _link = program.attach_uprobe_with_opts(-1, "/proc/self/exe", 0, function)?;

    // So that there is something to see at once.
    for number in 0..3 {
        work(number);
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

/// What is watched. Another program's function would be called by others.
#[unsafe(no_mangle)]
#[inline(never)]
extern "C" fn work(number: u64) -> u64 {
    black_box(number)
}

#[cfg(test)]
#[test]
fn its_own_calls_are_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&std::process::id()] >= 3, "{counts:?}");
}
