//! The counters of all CPUs, added up.

use anyhow::Result;

#[path = "../common/counter.rs"]
mod counter;

pub use counter::Counter;
use counter::{COUNTERS, Kind, VERDICTS};

/// In the order of their numbers.
const KINDS: [(Kind, &str); 7] = [
    (Kind::Other, "other"),
    (Kind::Tcp, "tcp"),
    (Kind::Udp, "udp"),
    (Kind::Icmp, "icmp"),
    (Kind::Icmpv6, "icmpv6"),
    (Kind::Fragment, "fragment"),
    (Kind::Malformed, "malformed"),
];
/// In the order of `enum xdp_action`.
const NAMES: [&str; VERDICTS as usize] = ["aborted", "drop", "pass", "tx", "redirect"];

pub const DROP: u32 = 1;
pub const PASS: u32 = 2;

pub fn verdict_name(verdict: u32) -> &'static str {
    NAMES.get(verdict as usize).copied().unwrap_or("unknown")
}

/// One for each kind and verdict.
#[derive(Clone, Debug, Default)]
pub struct FrameCounters(Vec<Counter>);

/// What was counted of one kind with one verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct CounterRow {
    pub kind: &'static str,
    pub verdict: &'static str,
    pub counter: Counter,
}

impl FrameCounters {
    /// `read_cpus` returns what each CPU has at an index of the map.
    pub fn sum_cpus(mut read_cpus: impl FnMut(u32) -> Result<Vec<Counter>>) -> Result<Self> {
        let mut counters = Vec::new();
        for index in 0..COUNTERS {
            let mut sum = Counter::default();
            for cpu in read_cpus(index)? {
                sum.frames += cpu.frames;
                sum.bytes += cpu.bytes;
            }
            counters.push(sum);
        }
        Ok(Self(counters))
    }

    /// The counters that are not zero.
    pub fn list_rows(&self) -> Vec<CounterRow> {
        let mut rows = Vec::new();
        for (index, &counter) in self.0.iter().enumerate() {
            if counter.frames > 0 {
                rows.push(CounterRow {
                    kind: KINDS[index / NAMES.len()].1,
                    verdict: NAMES[index % NAMES.len()],
                    counter,
                });
            }
        }
        rows
    }

    /// What was counted after `earlier`.
    pub fn counted_since(&self, earlier: &Self) -> Self {
        let mut counters = self.0.clone();
        for (counter, before) in counters.iter_mut().zip(&earlier.0) {
            counter.frames -= before.frames;
            counter.bytes -= before.bytes;
        }
        Self(counters)
    }

    pub fn total_frames(&self) -> u64 {
        self.0.iter().map(|counter| counter.frames).sum()
    }

    pub fn format_table(&self) -> String {
        let mut table = "  kind       verdict       frames        bytes".to_owned();
        for row in self.list_rows() {
            let (kind, verdict) = (row.kind, row.verdict);
            let Counter { frames, bytes } = row.counter;
            table += &format!("\n  {kind:10} {verdict:9} {frames:>10} {bytes:>12}");
        }
        table
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two CPUs that counted `frames` each, of one kind and verdict.
    fn counted(kind: Kind, verdict: u32, frames: u64) -> FrameCounters {
        let index = kind as u32 * VERDICTS + verdict;
        let cpu = Counter {
            frames,
            bytes: frames * 60,
        };
        let nothing = Counter::default();
        FrameCounters::sum_cpus(|at| Ok(vec![if at == index { cpu } else { nothing }; 2]))
            .expect("nothing fails")
    }

    #[test]
    fn every_kind_and_verdict_has_its_name() {
        for (kind, name) in [
            (Kind::Other, "other"),
            (Kind::Icmpv6, "icmpv6"),
            (Kind::Malformed, "malformed"),
        ] {
            for (verdict, verdict_name) in [(0, "aborted"), (1, "drop"), (4, "redirect")] {
                let row = CounterRow {
                    kind: name,
                    verdict: verdict_name,
                    counter: Counter {
                        frames: 6,
                        bytes: 360,
                    },
                };
                assert_eq!(counted(kind, verdict, 3).list_rows(), [row]);
            }
        }
        assert_eq!(KINDS.len() as u32 * VERDICTS, COUNTERS);
        assert_eq!(verdict_name(5), "unknown");
    }

    #[test]
    fn a_difference_is_what_came_in_between() {
        let (before, after) = (counted(Kind::Tcp, 2, 3), counted(Kind::Tcp, 2, 5));
        let expected = counted(Kind::Tcp, 2, 2).list_rows();
        assert_eq!(after.counted_since(&before).list_rows(), expected);
        assert_eq!(after.counted_since(&after).total_frames(), 0);
        assert_eq!(after.counted_since(&after).list_rows(), []);
    }

    /// `struct counter` in `bpf/counters.h`.
    #[test]
    fn a_counter_is_two_words_as_in_c() {
        assert_eq!((size_of::<Counter>(), align_of::<Counter>()), (16, 8));
        assert_eq!(std::mem::offset_of!(Counter, bytes), 8);
    }
}
