//! Shows calls as they come in, and sums up at the end.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use common::{Stop, say};
use serde_json::json;

use crate::demo::Demo;
use crate::event::{Event, Totals};
use crate::function::FUNCTION;
use crate::histogram;
use crate::row;
use crate::tracer::{self, Tracer, Way};

/// How long to sleep at most before looking at the signals again.
const WAIT: Duration = Duration::from_millis(200);
const NOW: Duration = Duration::ZERO;

/// How many of the slowest calls the summary names. Of the demo's calls only the first is slow by
/// design.
const SLOWEST: usize = 3;
const SLOWEST_OF_DEMO: usize = 1;

pub struct Watch<'a> {
    tracer: &'a mut dyn Tracer,
    ways: Vec<Way>,
    json: bool,
    seen: Seen,
}

/// What has reached the user side.
#[derive(Default)]
struct Seen {
    received: [u64; 2],
    failed: [u64; 2],
    slowest: Vec<Event>,
    limit: usize,
}

impl<'a> Watch<'a> {
    pub fn attach(tracer: &'a mut dyn Tracer, ways: Vec<Way>, json: bool) -> Result<Self> {
        // To attach kprobes, both libraries open files in /sys: fentry, which comes last, need not
        // see that.
        for &way in ways.iter().rev() {
            tracer::attach(tracer, way)?;
        }
        let mut watch = Self {
            tracer,
            ways,
            json,
            seen: Seen::default(),
        };
        watch.seen.limit = SLOWEST;
        let pairs: Vec<_> = watch.ways.iter().map(|way| way.pair()).collect();
        watch.remark(&format!("attached   {}, to {FUNCTION}", pairs.join(", ")))?;
        Ok(watch)
    }

    pub fn demo(&mut self, demo: Demo) -> Result<()> {
        self.remark(
            "demo       opens a file, makes calls that fail, and waits for a pipe's other end;",
        )?;
        self.remark(
            "           the maps have room for one call, and the pipe's occupies it for a while;",
        )?;
        self.remark(
            "           both ways see each call, and kretprobe's times include fentry and fexit\n",
        )?;
        self.seen.limit = SLOWEST_OF_DEMO;
        demo.run()?;
        // Every call has ended, so every program has run: what there is to see is in the ring
        // buffer.
        let events = self.tracer.events(NOW)?;
        self.show(&in_order(&events))
    }

    /// Until a signal comes.
    pub fn follow(&mut self, stop: &Stop) -> Result<()> {
        self.remark("now open a file in another terminal; Ctrl-C ends this\n")?;
        while !stop.is_set() {
            let events = self.tracer.events(WAIT)?;
            self.show(&events)?;
        }
        Ok(())
    }

    /// Every call must have been counted, and every event received or counted as lost.
    fn check_storm(&self, calls: u64) -> Result<()> {
        for &way in &self.ways {
            let totals = self.tracer.totals(way)?;
            let (exit, received) = (way.exit(), self.seen.received[way.index() as usize]);
            ensure!(
                totals.calls == calls,
                "count the storm: {exit} saw {} of {calls} calls",
                totals.calls
            );
            ensure!(
                received + totals.lost == calls,
                "count the storm: {exit} sent {calls} events, {received} came and {} were lost",
                totals.lost
            );
        }
        Ok(())
    }

    /// Lets a thread make calls as fast as it can, and shows only the sum.
    pub fn storm(&mut self, calls: u64, stop: &Stop) -> Result<()> {
        let begin = Instant::now();
        let thread = crate::demo::storm(calls)?;
        while !thread.is_finished() {
            let events = self.tracer.events(Duration::from_millis(1))?;
            self.seen.add(&events);
            if stop.is_set() {
                // The thread ends with the process; what it has done so far is summed up.
                return Ok(());
            }
        }
        let events = self.tracer.events(NOW)?;
        self.seen.add(&events);
        self.remark(&format!(
            "storm      {calls} calls in {:.1?}\n",
            begin.elapsed()
        ))?;
        self.check_storm(calls)
    }

    /// The totals are read after the last program has run.
    pub fn end(mut self) -> Result<()> {
        for &way in &self.ways {
            self.tracer.detach(way);
        }
        let rest = self.tracer.events(NOW)?;
        self.show(&rest)?;
        self.remark("")?;
        for &way in &self.ways {
            self.sum_up(way)?;
        }
        if !self.json {
            self.show_latency()?;
        }
        self.remark(&format!("detached   {FUNCTION} is as it was before"))
    }

    fn sum_up(&self, way: Way) -> Result<()> {
        let totals = self.tracer.totals(way)?;
        let index = way.index() as usize;
        let (received, failed) = (self.seen.received[index], self.seen.failed[index]);
        if self.json {
            return say(&json!({
                "event": "summary", "way": way.exit(), "calls": totals.calls, "received": received,
                "lost": totals.lost, "failed": failed, "no_room": totals.no_room,
                "latency": histogram::rows(&totals.latency).map(|(row, calls)| [1 << row, calls]).collect::<Vec<_>>(),
            })
            .to_string());
        }
        say(&format!(
            "{:<10} {} calls, {failed} of them failed{}",
            way.exit(),
            totals.calls,
            gaps(way, &totals)
        ))
    }

    fn show_latency(&self) -> Result<()> {
        let Some(&way) = self.ways.first() else {
            return Ok(());
        };
        let lines = histogram::lines(&self.tracer.totals(way)?.latency);
        if !lines.is_empty() {
            say(&format!(
                "\nhow many calls took how long, by {}:",
                way.exit()
            ))?;
            lines.iter().try_for_each(|line| say(line))?;
            say(&format!("\nthe slowest:\n{}", row::HEADER))?;
            self.seen
                .slowest
                .iter()
                .try_for_each(|event| say(&row::line(event)))?;
        }
        say("")
    }

    fn show(&mut self, events: &[Event]) -> Result<()> {
        if !self.json && !events.is_empty() && self.seen.received == [0, 0] {
            say(row::HEADER)?;
        }
        self.seen.add(events);
        events.iter().try_for_each(|event| {
            say(&if self.json {
                row::json(event).to_string()
            } else {
                row::line(event)
            })
        })
    }

    fn remark(&self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { say(text) }
    }
}

impl Seen {
    fn add(&mut self, events: &[Event]) {
        for event in events {
            let index = row::way(event).index() as usize;
            self.received[index] += 1;
            self.failed[index] += u64::from(event.result < 0);
        }
        let first = self
            .slowest
            .first()
            .or(events.first())
            .map(|event| event.way);
        let of_first = |event: &&Event| Some(event.way) == first && row::took(event).is_some();
        self.slowest.extend(events.iter().filter(of_first));
        self.slowest
            .sort_by_key(|event| std::cmp::Reverse(event.took));
        self.slowest.truncate(self.limit);
    }
}

/// The two ways' events of a call next to each other; calls of which nobody knows when they began
/// come last.
fn in_order(events: &[Event]) -> Vec<Event> {
    let mut ranked = Vec::new();
    for way in Way::ALL {
        let mut own: Vec<_> = events
            .iter()
            .filter(|event| row::way(event) == way)
            .copied()
            .collect();
        own.sort_by_key(|event| (event.start == 0, event.start));
        ranked.extend(own.into_iter().enumerate());
    }
    ranked.sort_by_key(|(rank, event)| (*rank, event.way));
    ranked.into_iter().map(|(_, event)| event).collect()
}

/// What a way could not tell, in words.
fn gaps(way: Way, totals: &Totals) -> String {
    let mut gaps = String::new();
    if totals.no_room > 0 {
        gaps += &match way {
            Way::Fentry => format!(
                "; {} began when the map was full: their time is unknown",
                totals.no_room
            ),
            Way::Kprobe => {
                format!(
                    "; {} began when the map was full: nothing is known of them",
                    totals.no_room
                )
            }
        };
    }
    if totals.lost > 0 {
        gaps += &format!("; {} events lost: the ring buffer was full", totals.lost);
    }
    gaps
}
