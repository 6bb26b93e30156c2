//! Counts how often each process is on a CPU when a clock ticks: loads the eBPF program, attaches
//! it, prints its map.

use std::collections::BTreeMap;
use std::mem::MaybeUninit;
use std::os::fd::{FromRawFd as _, IntoRawFd as _, OwnedFd};
use std::time::{Duration, Instant};
use std::{env, io, thread};

use anyhow::{Context as _, Result};
use libbpf_rs::skel::{OpenSkel as _, SkelBuilder as _};
use libbpf_rs::{MapCore as _, MapFlags, libbpf_sys as sys};

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
    // Dropping the links detaches the program and closes the clocks.
    let mut links = Vec::new();
    for cpu in 0..libbpf_rs::num_possible_cpus()? {
        let clock = match open_clock(cpu) {
            // A CPU that could be there, but is not.
            Err(error) if error.raw_os_error() == Some(libc::ENODEV) => continue,
            clock => clock.context("cannot open a clock")?.into_raw_fd(),
        };
        links.push(skeleton.progs.count.attach_perf_event(clock)?);
    }

    // So that there is something to see at once.
    let begin = Instant::now();
    while begin.elapsed() < Duration::from_millis(300) {}
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

/// A clock that ticks 100 times a second on one CPU. Rust's standard library and libbpf-rs have no
/// function for this system call.
fn open_clock(cpu: usize) -> io::Result<OwnedFd> {
    let mut clock = sys::perf_event_attr::default();
    clock.type_ = sys::PERF_TYPE_SOFTWARE;
    clock.size = size_of_val(&clock) as u32;
    clock.config = sys::PERF_COUNT_SW_CPU_CLOCK.into();
    clock.__bindgen_anon_1.sample_freq = 100;
    clock.set_freq(1);
    // SAFETY: the kernel reads `clock`. Then come: all processes, the CPU, no group, no flags.
    let fd = unsafe { libc::syscall(libc::SYS_perf_event_open, &raw const clock, -1, cpu, -1, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel has just made it, for us.
    Ok(unsafe { OwnedFd::from_raw_fd(fd as i32) })
}

#[cfg(test)]
#[test]
fn its_own_time_is_counted() {
    let counts = count(Duration::ZERO).unwrap();
    assert!(counts[&std::process::id()] >= 3, "{counts:?}");
}
