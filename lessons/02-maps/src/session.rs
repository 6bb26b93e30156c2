//! What happens between attaching and the end, and all that is printed.

use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use common::Stop;

use crate::change::Change;
use crate::demo::Demo;
use crate::monitor::Monitor;
use crate::own_map::{self, OwnMap};
use crate::screen::Screen;
use crate::settings::Settings;
use crate::summary::Summary;

/// How long to sleep at most before looking at the signals again.
const WAIT: Duration = Duration::from_millis(200);

/// How many changes of the demo's storm people see.
const FEW: usize = 3;

/// The demo's changes are there at once; this is for a machine that is very busy.
const DEMO_LIMIT: Duration = Duration::from_secs(10);

pub struct Session {
    pub changes: Receiver<Change>,
    pub stop: Stop,
    pub screen: Screen,
    /// List the maps in the end.
    pub maps: bool,
}

impl Session {
    pub fn run(
        mut self,
        settings: &Settings,
        mut monitor: impl Monitor,
        demo: Option<Demo>,
    ) -> Result<()> {
        self.begin(settings)?;
        let mut received = match &demo {
            Some(demo) => self.play(&mut monitor, demo)?,
            None => self.follow(&mut monitor)?,
        };
        // First nothing new comes, then the rest is read: that is how the sum can be right.
        monitor.detach();
        monitor.wait(Duration::ZERO)?;
        received += if demo.is_some() {
            self.show_few()?
        } else {
            self.show_all()?
        };
        self.sum_up(settings, &mut monitor, received)
    }

    fn begin(&self, settings: &Settings) -> Result<()> {
        let (inode, device) = (settings.watched.inode, settings.watched.device_name());
        let names: Vec<_> = settings.hooks.iter().map(|hook| hook.name()).collect();
        self.screen.tell(&format!(
            "watching  inode {inode} on device {device}{SET_BEFORE}"
        ))?;
        self.screen.tell(&format!(
            "attached  kprobes to security_inode_*: {}",
            names.join(", ")
        ))
    }

    fn follow(&mut self, monitor: &mut impl Monitor) -> Result<u64> {
        self.screen
            .tell("\nnow change something there in another terminal; Ctrl-C ends this")?;
        let mut received = 0;
        while !self.stop.is_set() {
            monitor.wait(WAIT)?;
            received += self.show_all()?;
        }
        Ok(received)
    }

    fn play(&mut self, monitor: &mut impl Monitor, demo: &Demo) -> Result<u64> {
        self.screen.tell(ONE_OF_EACH)?;
        let mut received = self.expect(monitor, demo.one_of_each()?)?;

        monitor.pause(true)?;
        self.screen.tell(PAUSED)?;
        demo.make("hidden.txt")?;
        monitor.pause(false)?;
        self.screen.tell(GOES_ON)?;
        received += self.expect(monitor, demo.two_processes()?)?;

        self.screen
            .tell(&format!("\nstorm     {} changes{STORM}", demo.storm))?;
        demo.make_and_remove()?;
        Ok(received)
    }

    /// Shows so many changes. Not one more: the next part of the demo is to begin after them.
    fn expect(&mut self, monitor: &mut impl Monitor, expected: u64) -> Result<u64> {
        let deadline = Instant::now() + DEMO_LIMIT;
        let mut received = 0;
        while received < expected && !self.stop.is_set() {
            monitor.wait(WAIT)?;
            received += self.show_all()?;
            if Instant::now() > deadline {
                bail!(
                    "wait for the demo's changes: {received} of {expected} came in {DEMO_LIMIT:?}"
                );
            }
        }
        Ok(received)
    }

    /// Shows what has come, and says how much that is.
    fn show_all(&self) -> Result<u64> {
        let mut shown = 0;
        for change in self.changes.try_iter() {
            self.screen.show(&change)?;
            shown += 1;
        }
        Ok(shown)
    }

    /// What is left of the demo's storm: people need not see all of it.
    fn show_few(&self) -> Result<u64> {
        let changes: Vec<_> = self.changes.try_iter().collect();
        let few = if self.screen.is_for_people() {
            FEW
        } else {
            changes.len()
        };
        for change in changes.iter().take(few) {
            self.screen.show(change)?;
        }
        Ok(changes.len() as u64)
    }

    fn sum_up(&self, settings: &Settings, monitor: &mut impl Monitor, received: u64) -> Result<()> {
        let summary = Summary::read(monitor, received)?;
        for line in summary.lines(settings) {
            self.screen.tell(&line)?;
        }
        let maps = if self.maps {
            self.list_maps(settings, monitor)?
        } else {
            Vec::new()
        };
        self.screen.object(&summary.json(&maps))?;
        summary.counters.check(received)
    }

    fn list_maps(&self, settings: &Settings, monitor: &mut impl Monitor) -> Result<Vec<OwnMap>> {
        let maps = monitor.maps()?;
        self.screen
            .tell("\nthe maps of this program, as the kernel lists them:")?;
        for line in own_map::table(&maps)? {
            self.screen.tell(&format!("  {line}"))?;
        }
        self.screen.tell(GLOBALS)?;
        let found = monitor.watched()?;
        ensure!(
            found == settings.watched,
            "read the directory out of its map: it is {found:?}"
        );
        self.screen.tell(&format!(
            "read      .rodata.watched: inode {} on device {}, the directory",
            found.inode,
            found.device_name()
        ))?;
        ensure!(
            monitor.watched_is_frozen()?,
            "write to .rodata.watched: the kernel should have refused"
        );
        self.screen.tell(FROZEN)?;
        Ok(maps)
    }
}

const SET_BEFORE: &str = ", which the program got as a global variable before it was loaded";

const ONE_OF_EACH: &str = "
changes below it, of each kind, and one next to it, which is not shown. The program puts each path together
in a per-CPU array, because its stack has only 512 bytes:";

const PAUSED: &str = "
paused    by writing 1 to a global variable of the running program. hidden.txt is made now, unseen.";

const GOES_ON: &str = "goes on   Two other processes make a file each:";

const STORM: &str = " while nobody reads the ring buffer. The first that came through:";

const GLOBALS: &str = "\
each global variable is an array of one element. The Rust program has one more, .rodata: where the fields of
the kernel's structs lie. The C program has those numbers in its instructions.";

const FROZEN: &str = "\
written   .rodata.watched: refused (EPERM). It is frozen, so the verifier can rely on its value.";
