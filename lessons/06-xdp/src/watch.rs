//! The firewall on an interface of yours, until Ctrl-C.

use std::io::{self, IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, Result};
use common::Stop;
use serde_json::json;

use crate::counters::Counters;
use crate::fault;
use crate::firewall::{Firewall, Mode};
use crate::interface::Interface;
use crate::output::Output;
use crate::rules::{self, Rules};

/// How long Ctrl-C may go unnoticed.
const NAP: Duration = Duration::from_millis(100);

pub struct Watch {
    pub interface: Interface,
    pub mode: Mode,
    /// Of the command line.
    pub rules: Rules,
    pub list: Option<PathBuf>,
    pub redirects: Vec<(u16, Interface)>,
    pub max_rules: u32,
    pub interval: Duration,
}

pub fn run(firewall: &mut dyn Firewall, watch: &Watch, output: Output) -> Result<()> {
    let stop = Stop::catch()?;
    for (port, interface) in &watch.redirects {
        firewall
            .redirect(*port, interface)
            .with_context(|| format!("redirect port {port}"))?;
    }
    let mut list = List {
        rules: Rules::new(),
        changed: None,
    };
    list.set(firewall, watch, output)?;
    let (interface, mode) = (&watch.interface, watch.mode);
    firewall
        .attach(interface, mode)
        .map_err(|error| fault::of_attach(error, interface, mode))?;
    let how = Interface::find(&interface.name)?.attached_name();
    output.event(
        &format!(
            "attached  firewall to {} in {how} mode; Ctrl-C ends this",
            interface.name
        ),
        &json!({ "event": "attached", "interface": interface.name, "mode": how }),
    )?;
    let mut table = Table {
        output,
        shown: Counters::default(),
        lines: 0,
    };
    let mut next = Instant::now();
    while !stop.is_set() {
        if Instant::now() >= next {
            next += watch.interval;
            list.look(firewall, watch, output)?;
            table.show(&firewall.frames()?)?;
        }
        sleep(NAP.min(watch.interval));
    }
    let counters = firewall.frames()?;
    firewall.detach();
    table.show(&counters)?;
    output.event(
        &format!(
            "\ndetached  {} saw {} frames",
            interface.name,
            counters.frames()
        ),
        &json!({ "event": "summary", "interface": interface.name, "counters": counters.json() }),
    )
}

/// The file with rules, and what of it and of the command line is in the kernel.
struct List {
    rules: Rules,
    changed: Option<SystemTime>,
}

impl List {
    /// Looks whether the file has changed. A file that cannot be read leaves the rules as they are.
    fn look(&mut self, firewall: &mut dyn Firewall, watch: &Watch, output: Output) -> Result<()> {
        let Some(path) = &watch.list else {
            return Ok(());
        };
        if modified(path) == self.changed {
            return Ok(());
        }
        if let Err(error) = self.set(firewall, watch, output) {
            // When standard error has gone, the firewall stays.
            let _ = writeln!(
                io::stderr(),
                "warning: {error:#}; what is in the kernel stays"
            );
        }
        Ok(())
    }

    fn set(&mut self, firewall: &mut dyn Firewall, watch: &Watch, output: Output) -> Result<()> {
        let mut wanted = Rules::new();
        if let Some(path) = &watch.list {
            // Asked before reading: a change while we read is seen the next time.
            self.changed = modified(path);
            wanted = rules::read(path)?;
        }
        wanted.extend(&watch.rules);
        rules::apply(
            firewall,
            &mut self.rules,
            &wanted,
            watch.max_rules,
            |change, prefix, action| {
                output.event(
                    &format!("rule      {prefix} {} {change}", action.name()),
                    &json!({
                        "event": "rule",
                        "change": change,
                        "prefix": prefix.to_string(),
                        "action": action.name(),
                    }),
                )
            },
        )
    }
}

fn modified(path: &Path) -> Option<SystemTime> {
    path.metadata().and_then(|facts| facts.modified()).ok()
}

/// The counters on the screen: on a terminal always in the same place.
struct Table {
    output: Output,
    shown: Counters,
    lines: usize,
}

impl Table {
    fn show(&mut self, counters: &Counters) -> Result<()> {
        if counters.frames() == self.shown.frames() {
            return Ok(());
        }
        if self.output.json {
            let json = json!({ "event": "counters", "counters": counters.json() });
            self.output.event("", &json)?;
        } else {
            let table = counters.table();
            self.back()?;
            self.output.prose(&table)?;
            self.lines = table.lines().count();
        }
        self.shown = counters.clone();
        Ok(())
    }

    /// To the first line of the table before.
    fn back(&self) -> Result<()> {
        if self.lines > 0 && io::stdout().is_terminal() {
            write!(io::stdout(), "\x1b[{}A\x1b[J", self.lines)?;
        }
        Ok(())
    }
}
