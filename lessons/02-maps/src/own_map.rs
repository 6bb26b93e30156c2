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
    (".rodata.watched", "a global, set before loading"),
    (".rodata.process", "a global, set before loading"),
    (".data.paused", "a global, set at any time"),
    (".data.counters", "a global that the program sets"),
    ("changes", "changes on their way to user space"),
    ("processes", "changes by each process"),
    ("recent", "names that changed last"),
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
            (4, value) if self.kind().ends_with("array") => {
                format!("{} x {value} bytes", self.max_entries)
            }
            (key, value) => format!("{} x ({key} + {value}) bytes", self.max_entries),
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

/// One line for each map that both programs have. A map that nobody expects is an error: this list
/// is to be true.
pub fn table(maps: &[OwnMap]) -> Result<Vec<String>> {
    let known = |name: &str| name == OFFSETS || ROLES.iter().any(|(role, _)| *role == name);
    let unknown = maps.iter().find(|map| !known(&map.name));
    ensure!(
        unknown.is_none(),
        "list the maps: nobody knows {}",
        unknown.map_or("", |map| &map.name)
    );
    ROLES
        .iter()
        .map(|(name, role)| {
            let map = maps.iter().find(|map| map.name == *name);
            let map = map.with_context(|| format!("list the maps: {name} is missing"))?;
            Ok(format!(
                "id={:<6}  {name:<15}  {:<13}  {:<23}  {role}",
                map.id,
                map.kind(),
                map.size()
            ))
        })
        .collect()
}
