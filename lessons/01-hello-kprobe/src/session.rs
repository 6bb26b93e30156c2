//! What both implementations have around them: the signals, the demo, and all that is printed.

use std::process;
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use common::{Stop, say};

use crate::demo::{self, MESSAGES, MISSING, THERE};
use crate::message;
use crate::symbol::Hook;
use crate::trace::Trace;

pub type Sender = mpsc::Sender<String>;

/// How long to sleep at most before looking at the signals again.
pub const WAIT: Duration = Duration::from_millis(200);

/// The demo's messages are there at once; this is for a machine that is very busy.
const DEMO_LIMIT: Duration = Duration::from_secs(10);

pub struct Session {
    function: &'static str,
    demo: bool,
    follow: bool,
    lines: (Sender, Receiver<String>),
    /// Open until the demo is over: nobody reads it after that.
    trace: Option<Trace>,
    stop: Stop,
    deadline: Option<Instant>,
    /// The demo's lines, to compare them with those from trace_pipe.
    seen: Vec<String>,
    removals: usize,
    failed: usize,
}

impl Session {
    pub fn start(hook: &Hook, demo: bool, follow: bool) -> Result<Self> {
        let stop = Stop::catch()?;
        say(&format!(
            "symbol    {} is in this kernel ({})",
            hook.function, hook.kernels
        ))?;
        Ok(Self {
            function: hook.function,
            demo,
            follow,
            lines: mpsc::channel(),
            trace: if demo { Some(Trace::open()?) } else { None },
            stop,
            deadline: None,
            seen: Vec::new(),
            removals: 0,
            failed: 0,
        })
    }

    pub fn sender(&self) -> Sender {
        self.lines.0.clone()
    }

    pub fn attached(&mut self) -> Result<()> {
        say(&format!(
            "attached  kprobe and kretprobe on {}",
            self.function
        ))?;
        if !self.demo {
            return self.follow();
        }
        say(&format!(
            "demo      removes {THERE}, which exists, and {MISSING}, which does not"
        ))?;
        say("\nmessages through the ring buffer:")?;
        self.deadline = Some(Instant::now() + DEMO_LIMIT);
        demo::remove_two_files()
    }

    /// Shows what has arrived, and says whether there is more to wait for.
    pub fn goes_on(&mut self) -> Result<bool> {
        // The demo shows only its own messages: other programs remove files as well.
        let own = format!("pid={} ", process::id());
        while let Ok(line) = self.lines.1.try_recv() {
            if self.demo && !line.starts_with(&own) {
                continue;
            }
            say(&format!("  {}", message::explained(&line)))?;
            self.removals += usize::from(line.contains(" exit ret="));
            self.failed += usize::from(line.contains(" exit ret=-"));
            if self.demo {
                self.seen.push(line);
            }
        }
        if self.demo && self.seen.len() >= MESSAGES {
            self.finish_demo(&own)?;
        } else if self
            .deadline
            .is_some_and(|deadline| Instant::now() > deadline)
        {
            bail!(
                "wait for the demo's messages: {} of {MESSAGES} came in {DEMO_LIMIT:?}",
                self.seen.len()
            );
        }
        Ok((self.demo || self.follow) && !self.stop.is_set())
    }

    pub fn detached(&self) -> Result<()> {
        say(&format!(
            "\nseen      {} removals, {} of them failed",
            self.removals, self.failed
        ))?;
        say(&format!("detached  {} is as it was before", self.function))
    }

    fn finish_demo(&mut self, own: &str) -> Result<()> {
        let mut trace = self.trace.take().context("read trace_pipe: it is closed")?;
        let mut traced = trace.lines()?;
        traced.retain(|line| line.starts_with(own));
        say("\nthe same from trace_pipe, without its columns for task, CPU, flags and time:")?;
        for line in &traced {
            say(&format!("  {line}"))?;
        }
        if traced != self.seen {
            bail!("compare the two ways: the ring buffer and trace_pipe gave different lines");
        }
        (self.demo, self.deadline) = (false, None);
        if self.follow { self.follow() } else { Ok(()) }
    }

    fn follow(&self) -> Result<()> {
        say("\nnow remove a file in another terminal; Ctrl-C ends this")
    }
}
