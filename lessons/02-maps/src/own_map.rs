//! A map of this program, as the kernel describes it.

use anyhow::{Context as _, Result, ensure};
use serde_json::{Value, json};

pub struct OwnMap {
    pub id: u32,
    pub name: String,
    /// `enum bpf_map_type`
    pub kind: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
}

/// What each map is there for, in the order in which they are shown.
const ROLES: [(&str, &str); 8] = [
    (".rodata.watched", "the directory: a global variable that user space sets"),
    (".rodata.process", "the filter by name: another one"),
    (".data.paused", "the switch: a global variable that user space changes"),
    (".data.counters", "the counters: a global variable that the program changes"),
    ("changes", "the way of each change to user space"),
    ("processes", "how much each process changed"),
    ("recent", "the names that changed last"),
    ("scratch", "where paths are put together"),
];

/// The Rust program has one more.
const OFFSETS: &str = ".rodata";

impl OwnMap {
    fn kind(&self) -> &'static str {
        match self.kind {
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
            (4, value) if self.kind().ends_with("array") => format!("{} x {value} bytes", self.max_entries),
            (key, value) => format!("{} x {key} + {value} bytes", self.max_entries),
        }
    }

    pub fn json(&self) -> Value {
        json!({
            "id": self.id,
            "name": self.name,
            "type": self.kind(),
            "key_size": self.key_size,
            "value_size": self.value_size,
            "max_entries": self.max_entries,
        })
    }
}

/// One line for each map that both programs have. A map that nobody expects is an error: this list is to be true.
pub fn table(maps: &[OwnMap]) -> Result<Vec<String>> {
    let known = |name: &str| name == OFFSETS || ROLES.iter().any(|(role, _)| *role == name);
    let unknown = maps.iter().find(|map| !known(&map.name));
    ensure!(unknown.is_none(), "list the maps: nobody knows {}", unknown.map_or("", |map| &map.name));
    ROLES
        .iter()
        .map(|(name, role)| {
            let map = maps.iter().find(|map| map.name == *name);
            let map = map.with_context(|| format!("list the maps: {name} is missing"))?;
            Ok(format!("id={:<6}  {name:<15}  {:<13}  {:<20}  {role}", map.id, map.kind(), map.size()))
        })
        .collect()
}
