//! What both implementations have around them: COMMAND, the test of the policy, and all that is
//! printed.

use std::fs::File;
use std::io::{self, Write};

use anyhow::{Context as _, Result, bail};
use rustix::time::{ClockId, clock_gettime};
use serde_json::json;

use crate::Cli;
use crate::command::Running;
use crate::event::{ASKED_WITH_VERDICT, ASKED_WITH_ZERO, COUNTS, Event, LOST, OPEN, SENT};
use crate::policy::Policy;
use crate::report;

/// Reports that are read before the processes are looked at again: more than the ring buffer can
/// hold.
pub const BATCH: usize = 1024;

pub struct Session<'a> {
    policy: &'a Policy,
    json: bool,
    quiet: bool,
    out: Box<dyn Write>,
    /// COMMAND's.
    pid: u32,
    /// The monotonic clock when COMMAND was started, and the time of day at its zero; in
    /// nanoseconds.
    start: u64,
    zero: u64,
    /// The report of the test has come.
    tested: bool,
    received: u64,
    denied: u64,
}

impl<'a> Session<'a> {
    pub fn new(policy: &'a Policy, cli: &'a Cli) -> Result<Self> {
        Ok(Self {
            policy,
            json: cli.json,
            quiet: cli.quiet,
            out: match &cli.output {
                Some(path) => Box::new(
                    File::create(path).with_context(|| format!("create {}", path.display()))?,
                ),
                None => Box::new(io::stdout()),
            },
            pid: 0,
            start: 0,
            zero: nanoseconds(ClockId::Realtime).saturating_sub(nanoseconds(ClockId::Monotonic)),
            tested: false,
            received: 0,
            denied: 0,
        })
    }

    pub fn started(&mut self, command: &Running) {
        self.pid = command.pid;
        self.start = nanoseconds(ClockId::Monotonic);
    }

    pub fn show(&mut self, bytes: &[u8]) -> Result<()> {
        let event = report::decode(bytes).context("read a report: it is too short")?;
        if !self.tested {
            return self.test(&event);
        }
        self.received += 1;
        self.denied += u64::from(event.denied != 0);
        if self.quiet {
            return Ok(());
        }
        let directory = &self.policy.directory.path;
        if self.json {
            let line = report::json(&event, directory, self.zero);
            return self.say(&line.to_string());
        }
        self.say(&report::line(&event, directory, self.start))
    }

    // ANCHOR: test
    /// The first report is the one that COMMAND caused on purpose before it was COMMAND.
    fn test(&mut self, event: &Event) -> Result<()> {
        if event.pid != self.pid || event.steps != 0 || event.action != OPEN {
            bail!("test the policy: its first report is not about opening the directory itself");
        }
        self.tested = true;
        self.say_to_people(&self.introduction())
    }
    // ANCHOR_END: test

    fn introduction(&self) -> String {
        let directory =
            common::text::printable(self.policy.directory.path.as_os_str().as_encoded_bytes());
        let (policy, test) = if self.policy.audit {
            (
                format!("COMMAND may open what lies in {directory}, but it is reported"),
                "let through",
            )
        } else {
            (
                format!("COMMAND may not open what lies in {directory}"),
                "denied",
            )
        };
        let test =
            format!("before it began, its process tried to open {directory}: {test}, and reported");
        format!("policy    {policy}\ntest      {test}\n{}", report::HEADER)
    }

    pub fn detached(&mut self, command: &Running, counts: [u64; COUNTS]) -> Result<u8> {
        if !self.tested {
            bail!("test the policy: no report came of COMMAND's opening the directory");
        }
        // The test's own report is in the kernel's count.
        let (sent, lost) = (counts[SENT] - 1, counts[LOST]);
        if self.received + lost != sent {
            bail!(
                "count the reports: {sent} sent, but {} received and {lost} lost",
                self.received
            );
        }
        let code = command.exit_code();
        if self.json {
            let summary = json!({
                "type": "summary", "sent": sent, "received": self.received, "lost": lost,
                "denied": self.denied, "audited": self.received - self.denied, "exit_status": code,
            });
            self.say(&summary.to_string())?;
            return Ok(code);
        }
        let audited = self.received - self.denied;
        self.say(&format!(
            "seen      {sent} reports: {} denied, {audited} audited, {lost} lost",
            self.denied
        ))?;
        if self.policy.witness {
            self.say(&self.witness(counts))?;
        }
        self.say(&format!(
            "ended     COMMAND and all its descendants; its exit status is {code}"
        ))?;
        Ok(code)
    }

    fn witness(&self, counts: [u64; COUNTS]) -> String {
        // In an audit it was asked about the test's opening too.
        let zero = counts[ASKED_WITH_ZERO] - u64::from(self.policy.audit);
        let other = counts[ASKED_WITH_VERDICT];
        format!(
            "witness   was asked {zero} times with the verdict 0 so far, {other} times with another"
        )
    }

    fn say_to_people(&mut self, text: &str) -> Result<()> {
        if self.json { Ok(()) } else { self.say(text) }
    }

    fn say(&mut self, line: &str) -> Result<()> {
        writeln!(self.out, "{line}")?;
        Ok(self.out.flush()?)
    }
}

fn nanoseconds(clock: ClockId) -> u64 {
    let now = clock_gettime(clock);
    now.tv_sec.cast_unsigned() * 1_000_000_000 + now.tv_nsec.cast_unsigned()
}
