//! The maps of this program as the kernel describes them: global variables are among them.

use anyhow::{Context as _, Result, ensure};
use common::say;

use crate::event::Watched;
use crate::report::name_watched;

pub struct OwnMap {
    pub id: u32,
    pub name: String,
    /// `enum bpf_map_type`
    pub map_type: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
}

/// What each map is for, in the order in which they are shown.
const ROLES: [(&str, &str); 7] = [
    (".rodata.watched", "a global, set before loading"),
    (".data.paused", "a global, set at any time"),
    (".data.counters", "a global that the program sets"),
    ("changes", "changes on their way to user space"),
    ("processes", "changes by each process"),
    ("recent", "names that changed last"),
    ("scratch", "where paths are put together"),
];

/// Only the Rust program has it.
const OFFSETS: &str = ".rodata";

impl OwnMap {
    fn type_name(&self) -> &'static str {
        match self.map_type {
            1 => "hash",
            2 => "array",
            6 => "per-CPU array",
            9 => "LRU hash",
            27 => "ring buffer",
            _ => "other",
        }
    }

    fn size(&self) -> String {
        match (self.key_size, self.value_size) {
            (0, 0) => format!("{} bytes", self.max_entries),
            (4, value) if self.type_name().ends_with("array") => {
                format!("{} x {value} bytes", self.max_entries)
            }
            (key, value) => format!("{} x ({key} + {value}) bytes", self.max_entries),
        }
    }
}

/// One line for each map that both programs have. A map that is not expected is an error, so that
/// this list is complete.
pub fn show_maps(maps: &[OwnMap]) -> Result<()> {
    say("\nthe maps of this program, as the kernel lists them:")?;
    for map in maps {
        let is_known = map.name == OFFSETS || ROLES.iter().any(|(name, _)| *name == map.name);
        ensure!(is_known, "the map {} is not expected", map.name);
    }
    for (name, role) in ROLES {
        let map = maps.iter().find(|map| map.name == name);
        let map = map.with_context(|| format!("the map {name} is missing"))?;
        let (id, kind, size) = (map.id, map.type_name(), map.size());
        say(&format!(
            "  id={id:<6}  {name:<15}  {kind:<13}  {size:<23}  {role}"
        ))?;
    }
    say(GLOBALS)
}

/// The proof that the map of a global variable holds its value, and cannot be changed.
pub fn show_watched(watched: Watched, write_was_refused: bool) -> Result<()> {
    let watched = name_watched(watched);
    say(&format!(
        "read      .rodata.watched: {watched}, the directory"
    ))?;
    ensure!(
        write_was_refused,
        "the kernel should have refused to write .rodata.watched"
    );
    say(FROZEN)
}

const GLOBALS: &str = "\
each global variable is an array of one element. The Rust program has one more, .rodata, for the
offsets of fields in the kernel's structs. The C program has those numbers in its instructions.";

const FROZEN: &str = "\
written   .rodata.watched: refused (EPERM). It is frozen, so the verifier can rely on its value.";
