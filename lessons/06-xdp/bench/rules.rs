//! What a frame costs with few and with many rules, for `cargo xtask bench 06`. One CPU runs
//! everything, through BPF_PROG_TEST_RUN: without driver and network.
//!
//! The same few frames and rules stay in the CPU's cache. On a busy machine they would not.

use std::net::Ipv4Addr;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use common::say;
use ipnet::Ipv4Net;
use network::frame;
use serde_json::json;

use crate::counters::{DROP, PASS};
use crate::program::BoxedProgram;

const ENTRIES: [u32; 3] = [1, 1_000, 100_000];

/// Senders that take turns, as the lookups of different addresses take different paths in the trie.
const SENDERS: u32 = 16;
const ROUNDS: usize = 5;
/// The kernel reports whole nanoseconds, so each run of a batch adds little to the error.
const BATCH: Duration = Duration::from_millis(5);

/// A frame of 64 bytes ends with a checksum of four, which no program sees.
const FRAME: usize = 60;

/// Prints an object of JSON for each case.
pub fn measure_rules(program: &mut BoxedProgram) -> Result<()> {
    let mut set = 0;
    for entries in ENTRIES {
        for number in set..entries {
            program.set_rule(blocked_network(number)?.into(), Some(DROP))?;
        }
        set = entries;
        let (mut passing, mut dropped) = (Vec::new(), Vec::new());
        for sender in 0..SENDERS {
            passing.push(Ipv4Addr::from_bits(0xc0a8_0000 + sender * 0x1003));
            dropped.push(blocked_network(pick_entry(sender, entries))?.addr());
        }
        for (case, verdict, senders) in [("pass", PASS, passing), ("drop", DROP, dropped)] {
            let nanoseconds = measure_frames(program, verdict, &senders)?;
            let line = json!({
                "case": case,
                "entries": entries,
                "ns_per_run": (nanoseconds * 10.0).round() / 10.0,
                "packets_per_second": (1e9 / nanoseconds).round() as u64,
            });
            say(&line.to_string())?;
        }
    }
    Ok(())
}

/// The median of some rounds, in nanoseconds a frame.
fn measure_frames(program: &BoxedProgram, verdict: u32, senders: &[Ipv4Addr]) -> Result<f64> {
    let mut frames = Vec::new();
    for &sender in senders {
        let receiver = Ipv4Addr::new(198, 51, 100, 1);
        let mut frame = frame::udp_frame(sender.into(), receiver.into(), 7000)?;
        frame.resize(FRAME, 0);
        frames.push(frame);
    }
    let warm_up = program.test_run(&frames[0], 1000)?.duration;
    let runs = BATCH.as_nanos() / warm_up.as_nanos().max(1);
    let repeat = u32::try_from(runs.clamp(1000, 1_000_000))?;
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut sum = 0;
        for frame in &frames {
            let result = program.test_run(frame, repeat)?;
            ensure!(result.verdict == verdict, "the verdict is not {verdict}");
            sum += result.duration.as_nanos();
        }
        rounds.push(sum as f64 / frames.len() as f64);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[ROUNDS / 2])
}

/// Addresses and, every fourth, networks of 256, spread over the lower half of all addresses. No
/// two are alike: multiplied by an odd factor, different numbers of 31 bits stay different.
fn blocked_network(number: u32) -> Result<Ipv4Net> {
    let spread = number.wrapping_mul(0x9e37_79b1) & 0x7fff_ffff;
    let (address, length) = match number % 4 {
        0 => (spread << 8 & 0x7fff_ffff, 24),
        _ => (spread, 32),
    };
    Ipv4Net::new(Ipv4Addr::from_bits(address), length).context("cannot make a network")
}

/// Numbers of entries for the senders, spread evenly.
fn pick_entry(sender: u32, entries: u32) -> u32 {
    (u64::from(sender) * u64::from(entries) / u64::from(SENDERS)) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_as_many_networks_as_entries() {
        let mut networks = BTreeSet::new();
        for number in 0..ENTRIES[2] {
            let network = blocked_network(number).expect("a network").trunc();
            // The senders that pass have higher addresses.
            assert!(network.broadcast() < Ipv4Addr::from_bits(0x8000_0000));
            networks.insert(network);
        }
        assert_eq!(networks.len(), ENTRIES[2] as usize);
    }

    #[test]
    fn senders_are_spread_over_all_entries() {
        assert_eq!((pick_entry(0, 1_000), pick_entry(15, 1_000)), (0, 937));
        assert!((0..SENDERS).all(|sender| pick_entry(sender, 1) == 0));
    }
}
