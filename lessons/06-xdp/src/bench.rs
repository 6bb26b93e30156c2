//! What a frame costs: runs of the program in BPF_PROG_TEST_RUN, without driver and network. One
//! CPU does it all, so that the result is for one core.
//!
//! What it does not have: the memory of a real machine under load. The same few frames and rules
//! stay in the cache.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use anyhow::{Context as _, Result};
use ipnet::Ipv4Net;
use serde_json::json;

use crate::firewall::Firewall;
use crate::frame;
use crate::output::Output;
use crate::rules::Action;

const ENTRIES: [u32; 3] = [1, 1_000, 100_000];
pub const MAX_RULES: u32 = ENTRIES[2];

/// Senders that take turns: their ways through the tree of prefixes differ in length.
const SENDERS: u32 = 16;
const ROUNDS: usize = 5;
/// How long the kernel runs a program between two looks at its clock; it gives the average in whole
/// nanoseconds.
const BATCH: Duration = Duration::from_millis(5);

/// A frame of 64 bytes ends with four of checksum, which no program sees.
const FRAME: usize = 60;

pub fn run(firewall: &mut dyn Firewall, implementation: &str, output: Output) -> Result<()> {
    output.prose("kind  entries   ns/frame   million frames/s, one core")?;
    let mut entries = 0;
    for wanted in ENTRIES {
        for number in entries..wanted {
            let rule = blocked(number)?;
            firewall
                .set_rule(rule.into(), Action::Drop)
                .with_context(|| format!("set the rule for {rule}"))?;
        }
        entries = wanted;
        let passing = (0..SENDERS)
            .map(|number| Ipv4Addr::from_bits(0xc0a8_0000 + number * 0x1003))
            .collect();
        let dropped = (0..SENDERS)
            .map(|number| Ok(blocked(spread(number, entries))?.addr()))
            .collect::<Result<_>>()?;
        for (case, verdict, senders) in [("pass", 2, passing), ("drop", 1, dropped)] {
            let nanoseconds = measure(firewall, verdict, senders)?;
            let per_second = 1e9 / nanoseconds;
            output.event(
                &format!(
                    "{case}  {entries:>7}   {nanoseconds:>8.1}   {:.1}",
                    per_second / 1e6
                ),
                &json!({
                    "impl": implementation,
                    "case": case,
                    "entries": entries,
                    "ns_per_run": (nanoseconds * 10.0).round() / 10.0,
                    "packets_per_second": per_second.round() as u64,
                }),
            )?;
        }
    }
    Ok(())
}

/// The median of some rounds.
fn measure(firewall: &dyn Firewall, verdict: u32, senders: Vec<Ipv4Addr>) -> Result<f64> {
    let frames: Vec<_> = senders
        .into_iter()
        .map(small_frame)
        .collect::<Result<_>>()?;
    let warm_up = firewall.test_run(&frames[0], 1000)?;
    let repeat = BATCH.as_nanos() / warm_up.duration.as_nanos().max(1);
    let repeat = u32::try_from(repeat)
        .unwrap_or(u32::MAX)
        .clamp(1000, 1_000_000);
    let mut rounds = Vec::new();
    for _ in 0..ROUNDS {
        let mut sum = 0;
        for frame in &frames {
            let judged = firewall.test_run(frame, repeat)?;
            anyhow::ensure!(
                judged.verdict == verdict,
                "measure verdict {verdict}: it was {}",
                judged.verdict
            );
            sum += judged.duration.as_nanos();
        }
        rounds.push(sum as f64 / frames.len() as f64);
    }
    rounds.sort_by(f64::total_cmp);
    Ok(rounds[ROUNDS / 2])
}

fn small_frame(from: Ipv4Addr) -> Result<Vec<u8>> {
    let mut frame = frame::udp(
        IpAddr::V4(from),
        IpAddr::V4(Ipv4Addr::new(198, 51, 100, 1)),
        7000,
    )?;
    frame.resize(FRAME, 0);
    Ok(frame)
}

/// Addresses and, each fourth, networks of 256, spread over half of all addresses. No two are
/// alike: an odd factor gives different numbers for different numbers, in as many bits as there
/// are.
fn blocked(number: u32) -> Result<Ipv4Net> {
    let spread = number.wrapping_mul(0x9e37_79b1) & 0x7fff_ffff;
    let (address, length) = if number.is_multiple_of(4) {
        (spread << 8 & 0x7fff_ffff, 24)
    } else {
        (spread, 32)
    };
    Ipv4Net::new(Ipv4Addr::from_bits(address), length).context("make a prefix")
}

/// `SENDERS` numbers, evenly spread below `entries`.
fn spread(number: u32, entries: u32) -> u32 {
    (u64::from(number) * u64::from(entries) / u64::from(SENDERS)) as u32
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn there_are_as_many_prefixes_as_entries() {
        let prefixes: BTreeSet<_> = (0..MAX_RULES)
            .map(|number| blocked(number).expect("a prefix").trunc())
            .collect();
        assert_eq!(prefixes.len(), MAX_RULES as usize);
        // Those that pass come from above all of them.
        assert!(
            prefixes
                .iter()
                .all(|prefix| prefix.broadcast() < Ipv4Addr::from_bits(0x8000_0000))
        );
    }

    #[test]
    fn senders_are_spread_over_all_entries() {
        let numbers: Vec<_> = (0..SENDERS).map(|number| spread(number, 1_000)).collect();
        assert_eq!((numbers[0], numbers[15]), (0, 937));
        assert!((0..SENDERS).all(|number| spread(number, 1) == 0));
    }
}
