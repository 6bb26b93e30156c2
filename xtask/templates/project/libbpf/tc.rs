//! Counts packets by their protocol: loads the eBPF program, attaches it, prints its map.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::net::UdpSocket;
use std::os::fd::AsFd as _;
use std::time::Duration;
use std::{env, thread};

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags, TC_EGRESS, TcHook, TcHookBuilder};

mod skeleton {
    include!(concat!(env!("OUT_DIR"), "/count.skel.rs"));
}

/// The index of `lo`, the interface that every machine has; `ip link` shows the others.
const LOOPBACK: i32 = 1;

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
    // The program is attached to a queueing discipline, clsact. It may be there already, and stays
    // there.
    let program = skeleton.progs.count_packet.as_fd();
    let mut hook = TcHookBuilder::new(program)
        .ifindex(LOOPBACK)
        .hook(TC_EGRESS);
    hook.create()?;
    let _attached = Detach(hook.attach()?);

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

/// Detaches the program at the end: the kernel would keep it.
struct Detach(TcHook);

impl Drop for Detach {
    fn drop(&mut self) {
        // An error here can only be that it is gone already.
        let _ = self.0.detach();
    }
}

#[cfg(test)]
#[test]
fn its_own_packets_are_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&17] >= 3, "{counts:?}");
}
