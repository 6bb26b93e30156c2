//! What the maps hold in the end.

use std::cmp::Reverse;
use std::mem::offset_of;

use anyhow::{Result, ensure};
use common::text;
use serde_json::{Value, json};

use crate::change::process_name;
use crate::monitor::Monitor;
use crate::own_map::OwnMap;
use crate::records::{self, LEVELS};
use crate::settings::Settings;

/// How many lines of a table people see.
const ROWS: usize = 5;

pub struct Summary {
    pub counters: Counters,
    received: u64,
    /// The busiest first.
    processes: Vec<Process>,
    /// The last first.
    recent: Vec<Recent>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Counters {
    pub changes: u64,
    pub lost: u64,
    pub uncounted: u64,
    pub too_deep: u64,
}

pub struct Process {
    pub pid: u32,
    pub name: String,
    pub changes: u64,
}

pub struct Recent {
    pub name: String,
    pub changes: u64,
    pub last: u64,
}

impl Summary {
    pub fn read(monitor: &impl Monitor, received: u64) -> Result<Self> {
        let mut processes = monitor.processes()?;
        processes.sort_by_key(|process| (Reverse(process.changes), process.pid));
        let mut recent = monitor.recent()?;
        recent.sort_by_key(|name| Reverse(name.last));
        Ok(Self {
            counters: monitor.counters()?,
            received,
            processes,
            recent,
        })
    }

    pub fn lines(&self, settings: &Settings) -> Vec<String> {
        let Counters {
            changes,
            lost,
            uncounted,
            too_deep,
        } = self.counters;
        let mut lines = vec![
            format!(
                "\nring buffer, {} bytes: {changes} changes = {} received + {lost} lost",
                settings.buffer, self.received
            ),
            format!(
                "hash map, room for {} processes; changes by each:",
                settings.processes
            ),
        ];
        lines.extend(
            self.processes
                .iter()
                .take(ROWS)
                .map(|process| format!("  {}", process.line())),
        );
        if uncounted > 0 {
            lines.push(format!(
                "  by others, for whom there was no room: {uncounted}"
            ));
        }
        lines.push("LRU hash map, never full: names that were not used for long make room; changes of the last names:".into());
        lines.extend(
            self.recent
                .iter()
                .take(ROWS)
                .map(|name| format!("  {}", name.line())),
        );
        if too_deep > 0 {
            lines.push(format!(
                "unknown: {too_deep} changes more than {LEVELS} folders deep, here or elsewhere"
            ));
        }
        lines
    }

    pub fn json(&self, maps: &[OwnMap]) -> Value {
        let processes: Vec<_> = self.processes.iter().map(Process::json).collect();
        let recent: Vec<_> = self.recent.iter().map(Recent::json).collect();
        let maps: Vec<_> = maps.iter().map(OwnMap::json).collect();
        json!({
            "type": "summary",
            "received": self.received,
            "counters": self.counters.json(),
            "processes": processes,
            "recent": recent,
            "maps": maps,
        })
    }
}

impl Counters {
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self {
            changes: number(bytes, offset_of!(records::Counters, changes)),
            lost: number(bytes, offset_of!(records::Counters, lost)),
            uncounted: number(bytes, offset_of!(records::Counters, uncounted)),
            too_deep: number(bytes, offset_of!(records::Counters, too_deep)),
        }
    }

    /// Nothing goes missing without being counted.
    pub fn check(&self, received: u64) -> Result<()> {
        let Self { changes, lost, .. } = self;
        ensure!(
            received + lost == *changes,
            "account for {changes} changes: {received} received and {lost} lost are {}",
            received + lost
        );
        Ok(())
    }

    fn json(&self) -> Value {
        json!({
            "changes": self.changes,
            "lost": self.lost,
            "uncounted": self.uncounted,
            "too_deep": self.too_deep,
        })
    }
}

impl Process {
    pub fn from_bytes(pid: u32, bytes: &[u8]) -> Self {
        Self {
            pid,
            name: process_name(bytes, offset_of!(records::Process, process)),
            changes: number(bytes, offset_of!(records::Process, changes)),
        }
    }

    fn line(&self) -> String {
        format!("{:<15}  pid={:<8}  {}", self.name, self.pid, self.changes)
    }

    fn json(&self) -> Value {
        json!({ "pid": self.pid, "process": self.name, "changes": self.changes })
    }
}

impl Recent {
    pub fn from_bytes(name: &[u8], bytes: &[u8]) -> Self {
        Self {
            name: text::printable(text::until_nul(name)),
            changes: number(bytes, offset_of!(records::Recent, changes)),
            last: number(bytes, offset_of!(records::Recent, last)),
        }
    }

    fn line(&self) -> String {
        format!("{:<15}  {}", self.name, self.changes)
    }

    fn json(&self) -> Value {
        json!({ "name": self.name, "changes": self.changes })
    }
}

pub fn number(bytes: &[u8], at: usize) -> u64 {
    bytes
        .get(at..)
        .and_then(|rest| rest.first_chunk())
        .map_or(0, |word| u64::from_ne_bytes(*word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layouts_are_those_of_the_c_structs() {
        assert_eq!(size_of::<records::Counters>(), 32);
        assert_eq!(
            (
                size_of::<records::Process>(),
                offset_of!(records::Process, process)
            ),
            (24, 8)
        );
        assert_eq!(
            (
                size_of::<records::Recent>(),
                offset_of!(records::Recent, last)
            ),
            (16, 8)
        );
        assert_eq!(
            (
                size_of::<records::Watched>(),
                offset_of!(records::Watched, device)
            ),
            (16, 8)
        );
    }

    #[test]
    fn what_is_neither_received_nor_lost_is_an_error() {
        let counters = Counters::from_bytes(&[5u64, 2, 1, 0].map(u64::to_ne_bytes).concat());
        assert_eq!(
            counters,
            Counters {
                changes: 5,
                lost: 2,
                uncounted: 1,
                too_deep: 0
            }
        );
        counters.check(3).expect("3 and 2 are 5");
        let error = counters.check(2).expect_err("2 and 2 are not 5");
        assert_eq!(
            error.to_string(),
            "account for 5 changes: 2 received and 2 lost are 4"
        );
    }

    #[test]
    fn names_in_the_maps_cannot_harm_the_terminal() {
        let process = Process::from_bytes(7, b"\x03\0\0\0\0\0\0\0\x1b[2J\0\0\0\0\0\0\0\0\0\0\0\0");
        assert_eq!((process.name.as_str(), process.changes), ("\u{fffd}[2J", 3));
        assert_eq!(Recent::from_bytes(b"\x1bx\0\0", &[0; 16]).name, "\u{fffd}x");
    }
}
