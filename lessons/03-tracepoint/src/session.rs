//! What both implementations have around them: the signals, the demo, and all that is printed.

use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use common::{Stop, say};
use serde_json::{Map, json};

use crate::demo::{self, Executed};
use crate::event::Event;
use crate::settings::Settings;
use crate::way::{EVENT, Way};
use crate::{explanation, row};

pub type Sender = mpsc::Sender<Event>;

/// How long to sleep at most before looking at the signals again.
pub const WAIT: Duration = Duration::from_millis(200);

/// The demo's events are there at once; this is for a machine that is very busy.
const DEMO_LIMIT: Duration = Duration::from_secs(10);

/// What is shown, and how.
pub struct View {
    pub json: bool,
    pub comm: Option<String>,
    pub uid: Option<u32>,
}

impl View {
    fn wants(&self, event: &Event) -> bool {
        self.comm.as_ref().is_none_or(|comm| *comm == event.comm())
            && self.uid.is_none_or(|uid| uid == event.uid)
    }
}

/// What the demo executed, and what was seen of it so far.
struct Demo {
    programs: Vec<Executed>,
    seen: Vec<Event>,
    deadline: Instant,
}

pub struct Session<'a> {
    settings: &'a Settings,
    view: View,
    events: (Sender, Receiver<Event>),
    stop: Stop,
    /// To be run, or running.
    demo: Option<Demo>,
    follow: bool,
    received: u64,
    shown: u64,
}

impl<'a> Session<'a> {
    pub fn start(settings: &'a Settings, view: View, demo: bool, follow: bool) -> Result<Self> {
        let demo = demo.then(|| Demo {
            programs: Vec::new(),
            seen: Vec::new(),
            deadline: Instant::now() + DEMO_LIMIT,
        });
        let (stop, events) = (Stop::catch()?, mpsc::channel());
        let session = Self {
            settings,
            view,
            events,
            stop,
            demo,
            follow,
            received: 0,
            shown: 0,
        };
        if session.demo.is_some() {
            session.explain(&explanation::of_ways(settings)?)?;
        }
        for (way, problem) in &settings.left_out {
            session.explain(&format!("left out  {way}: {problem}"))?;
        }
        Ok(session)
    }

    pub fn sender(&self) -> Sender {
        self.events.0.clone()
    }

    pub fn attached(&mut self) -> Result<()> {
        let ways: Vec<_> = self.settings.ways.iter().map(Way::to_string).collect();
        if self.view.json {
            // Whoever reads this may wait for it: from here on nothing is missed.
            say(&json!({"type": "attached", "event": EVENT, "ways": ways}).to_string())?;
        }
        self.explain(&format!("attached  to {EVENT} as {}", ways.join(", ")))?;
        let Some(demo) = &mut self.demo else {
            return self.follow();
        };
        demo.programs = demo::execute()?;
        demo.deadline = Instant::now() + DEMO_LIMIT;
        self.explain(&format!("\n{}", row::header(self.with_way())))
    }

    /// Shows what has arrived, and says whether there is more to wait for.
    pub fn goes_on(&mut self) -> Result<bool> {
        self.take()?;
        if let Some(demo) = &self.demo {
            let (seen, expected) = (
                demo.seen.len(),
                demo.programs.len() * self.settings.ways.len(),
            );
            if seen >= expected {
                self.finish_demo()?;
            } else if Instant::now() > demo.deadline {
                bail!("wait for the demo's events: {seen} of {expected} came in {DEMO_LIMIT:?}");
            }
        }
        Ok((self.demo.is_some() || self.follow) && !self.stop.is_set())
    }

    pub fn detached(&mut self, lost: impl Fn(Way) -> Result<u64>) -> Result<()> {
        self.take()?;
        let mut counts = Map::new();
        let mut sum = 0;
        for way in &self.settings.ways {
            let count = lost(*way)?;
            counts.insert(way.to_string(), json!(count));
            sum += count;
        }
        let Self {
            received, shown, ..
        } = self;
        if self.view.json {
            let summary =
                json!({"type": "summary", "received": received, "shown": shown, "lost": counts});
            return say(&summary.to_string());
        }
        say(&format!("\nseen      {shown} events, {sum} lost"))?;
        if sum > 0 {
            say(&format!(
                "help      --buffer {} holds more",
                u64::from(self.settings.buffer) * 4
            ))?;
        }
        say(&format!("detached  {EVENT} is as it was before"))
    }

    fn take(&mut self) -> Result<()> {
        while let Ok(event) = self.events.1.try_recv() {
            self.received += 1;
            match &mut self.demo {
                Some(demo) if demo::is_ours(&event, &demo.programs) => demo.seen.push(event),
                Some(_) => {}
                None if self.view.wants(&event) => self.show(&event)?,
                None => {}
            }
        }
        Ok(())
    }

    fn show(&mut self, event: &Event) -> Result<()> {
        self.shown += 1;
        let line = match self.view.json {
            true => row::json(event).to_string(),
            false => row::columns(event, self.with_way()),
        };
        say(&line)
    }

    fn finish_demo(&mut self) -> Result<()> {
        let Some(Demo { programs, seen, .. }) = self.demo.take() else {
            return Ok(());
        };
        for program in &programs {
            self.explain(&format!("{}:", program.title))?;
            let events = program.seen(&seen, &self.settings.ways)?;
            for event in &events {
                self.show(event)?;
            }
            if let Some(event) = events.first().filter(|event| event.old_pid != event.pid) {
                self.explain(&explanation::of_thread(event))?;
            }
        }
        demo::check_missing(&seen)?;
        self.explain(explanation::MISSED)?;
        if self.with_way() {
            self.explain(explanation::AGREED)?;
        }
        if self.follow { self.follow() } else { Ok(()) }
    }

    fn follow(&self) -> Result<()> {
        self.explain("\nnow execute a program in another terminal; Ctrl-C ends this")?;
        self.explain(&row::header(self.with_way()))
    }

    fn with_way(&self) -> bool {
        self.settings.ways.len() > 1
    }

    /// Words for people, which a program that reads JSON does not want.
    fn explain(&self, text: &str) -> Result<()> {
        if self.view.json { Ok(()) } else { say(text) }
    }
}
