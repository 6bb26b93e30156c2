//! Counts packets by their protocol: loads the eBPF program, attaches it, prints its map.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::UdpSocket;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, Result};
use aya::programs::cgroup_skb::{CgroupSkb, CgroupSkbAttachType};
use aya::{Ebpf, maps::PerCpuHashMap, programs::CgroupAttachMode};

/// With a number as its argument, the program watches for so many seconds.
fn main() -> Result<()> {
    let seconds = env::args().nth(1).map_or(Ok(0), |text| text.parse())?;
    for (protocol, number) in count(Duration::from_secs(seconds))? {
        println!("protocol {protocol}: {number}");
    }
    Ok(())
}

fn count(time: Duration) -> Result<BTreeMap<u32, u64>> {
    let object = aya::include_bytes_aligned!(concat!(env!("OUT_DIR"), "/count"));
    let mut ebpf = Ebpf::load(object).context("cannot load the program: are you root?")?;
    // The root of all control groups: every process is in it.
    let group = File::open("/sys/fs/cgroup")?;
    let program = ebpf
        .program_mut("count_packet")
        .context("no `count_packet`")?;
    let program: &mut CgroupSkb = program.try_into()?;
    program.load()?;
    // In spite of its name, this mode lets other programs be attached too: with a link, all do.
    let mode = CgroupAttachMode::Single;
    program.attach(group, CgroupSkbAttachType::Egress, mode)?;

    // So that there is something to see at once.
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    for _ in 0..3 {
        socket.send_to(b"hello", socket.local_addr()?)?;
    }
    thread::sleep(time);

    let map = ebpf.map("COUNTS").context("no `COUNTS`")?;
    let mut counts = BTreeMap::new();
    for entry in PerCpuHashMap::<_, u32, u64>::try_from(map)?.iter() {
        let (protocol, numbers) = entry?;
        counts.insert(protocol, numbers.iter().sum());
    }
    Ok(counts)
}

#[cfg(test)]
#[test]
fn its_own_packets_are_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&17] >= 3, "{counts:?}");
}
