//! The counters of all CPUs, added up.

use serde_json::{Value, json};

use crate::counting::{COUNTERS, Counter, Kind, VERDICTS};

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

pub fn verdict_name(verdict: u32) -> &'static str {
    NAMES.get(verdict as usize).copied().unwrap_or("unknown")
}

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Counters(Vec<Counter>);

/// What was counted of one kind with one verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Row {
    pub kind: &'static str,
    pub verdict: &'static str,
    pub counter: Counter,
}

impl Counters {
    /// `each` gives a counter as all CPUs have it.
    pub fn read<E>(mut each: impl FnMut(u32) -> Result<Vec<Counter>, E>) -> Result<Self, E> {
        (0..COUNTERS)
            .map(|index| Ok(sum(&each(index)?)))
            .collect::<Result<_, _>>()
            .map(Self)
    }

    /// What was counted at all.
    pub fn rows(&self) -> impl Iterator<Item = Row> + '_ {
        let counted = self
            .0
            .iter()
            .enumerate()
            .filter(|(_, counter)| counter.frames > 0);
        counted.map(|(index, &counter)| {
            let (kind, verdict) = (index / NAMES.len(), index % NAMES.len());
            Row {
                kind: KINDS[kind].1,
                verdict: NAMES[verdict],
                counter,
            }
        })
    }

    pub fn since(&self, earlier: &Self) -> Self {
        let difference = |(now, then): (&Counter, &Counter)| Counter {
            frames: now.frames - then.frames,
            bytes: now.bytes - then.bytes,
        };
        Self(self.0.iter().zip(&earlier.0).map(difference).collect())
    }

    pub fn frames(&self) -> u64 {
        self.0.iter().map(|counter| counter.frames).sum()
    }

    pub fn table(&self) -> String {
        let mut table = format!(
            "  {:10} {:9} {:>10} {:>12}",
            "kind", "verdict", "frames", "bytes"
        );
        for Row {
            kind,
            verdict,
            counter,
        } in self.rows()
        {
            table += &format!(
                "\n  {kind:10} {verdict:9} {:>10} {:>12}",
                counter.frames, counter.bytes
            );
        }
        table
    }

    pub fn json(&self) -> Value {
        let row = |row: Row| {
            let Counter { frames, bytes } = row.counter;
            json!({ "kind": row.kind, "verdict": row.verdict, "frames": frames, "bytes": bytes })
        };
        self.rows().map(row).collect()
    }
}

fn sum(cpus: &[Counter]) -> Counter {
    cpus.iter().fold(Counter::default(), |sum, cpu| Counter {
        frames: sum.frames + cpu.frames,
        bytes: sum.bytes + cpu.bytes,
    })
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    /// Two CPUs that counted `frames` each, of one kind and verdict.
    fn counted(kind: Kind, verdict: u32, frames: u64) -> Counters {
        let index = kind as u32 * VERDICTS + verdict;
        let cpu = Counter {
            frames,
            bytes: frames * 60,
        };
        let each =
            |at| Ok::<_, Infallible>(vec![if at == index { cpu } else { Counter::default() }; 2]);
        Counters::read(each).expect("infallible")
    }

    #[test]
    fn every_kind_and_verdict_has_its_name() {
        for (kind, name) in [
            (Kind::Other, "other"),
            (Kind::Icmpv6, "icmpv6"),
            (Kind::Malformed, "malformed"),
        ] {
            for (verdict, verdict_name) in [(0, "aborted"), (1, "drop"), (4, "redirect")] {
                let rows: Vec<_> = counted(kind, verdict, 3).rows().collect();
                let counter = Counter {
                    frames: 6,
                    bytes: 360,
                };
                assert_eq!(
                    rows,
                    [Row {
                        kind: name,
                        verdict: verdict_name,
                        counter
                    }]
                );
            }
        }
        assert_eq!(KINDS.len() as u32 * VERDICTS, COUNTERS);
        assert_eq!(verdict_name(5), "unknown");
    }

    #[test]
    fn a_difference_is_what_came_in_between() {
        let (before, after) = (counted(Kind::Tcp, 2, 3), counted(Kind::Tcp, 2, 5));
        assert_eq!(after.since(&before), counted(Kind::Tcp, 2, 2));
        assert_eq!(after.since(&after).frames(), 0);
        assert_eq!(after.since(&after).rows().count(), 0);
    }

    /// `struct counter` in `bpf/xdp.bpf.c`.
    #[test]
    fn a_counter_is_two_words_as_in_c() {
        assert_eq!((size_of::<Counter>(), align_of::<Counter>()), (16, 8));
        assert_eq!(std::mem::offset_of!(Counter, bytes), 8);
    }
}
