//! Counts packets by their protocol: loads the eBPF program, attaches it, prints its map.

use std::collections::BTreeMap;
use std::fs::File;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::AsRawFd as _;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags};

mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/count.skel.rs"));
}

/// With a number as its argument, the program watches for so many seconds.
fn main() -> Result<()> {
    let seconds = env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    for (protocol, number) in count(Duration::from_secs(seconds))? {
        println!("protocol {protocol}: {number}");
    }
    Ok(())
}

fn count(time: Duration) -> Result<BTreeMap<u32, u64>> {
    let mut storage = MaybeUninit::uninit();
    let open = skeleton::CountSkelBuilder::default().open(&mut storage)?;
    let skeleton = open
        .load()
        .context("cannot load the program: are you root?")?;
    // The root of all control groups: every process is in it. Dropping the link detaches the
    // program.
    let group = File::open("/sys/fs/cgroup")?;
    let program = &skeleton.progs.count_packet;
    let _link = program.attach_cgroup(group.as_raw_fd())?;

    // So that there is something to see at once.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for _ in 0..3 {
        socket.send_to(b"hello", socket.local_addr()?)?;
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
fn its_own_packets_are_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&17] >= 3, "{counts:?}");
}
