//! The entries of the gallery, as the build script found them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use common::say;

/// One error of the verifier, with a program that causes it and its fixed twin, in both languages.
pub struct Entry {
    pub name: &'static str,
    pub title: &'static str,
    pub rule: &'static str,
    pub c: Twins,
    pub rust: Twins,
}

/// Object files. `None`: this program cannot be written in that language, or does not build; the
/// gallery says why.
pub struct Twins {
    pub failing: Option<&'static [u8]>,
    /// What the compiler or the linker said of a failing program that does not build.
    pub refused: Option<&'static str>,
    pub fixed: Option<&'static [u8]>,
}

const ENTRIES: &[Entry] = include!(concat!(env!("OUT_DIR"), "/entries.rs"));

pub fn find(name: &str) -> Result<&'static Entry> {
    ENTRIES
        .iter()
        .find(|entry| entry.name == name)
        .with_context(|| format!("find entry {name}: it has gone"))
}

pub fn list() -> Result<()> {
    let width = ENTRIES
        .iter()
        .map(|entry| entry.name.len())
        .max()
        .unwrap_or(0);
    ENTRIES
        .iter()
        .try_for_each(|entry| say(&format!("{:width$}  {}", entry.name, entry.title)))
}

/// Writes `ENTRY-fail.c.o`, `ENTRY-fixed.rust.o` and the like, and `ENTRY-fail.c.txt` for what does
/// not build.
pub fn write_objects(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for entry in ENTRIES {
        for (twins, language) in [(&entry.c, "c"), (&entry.rust, "rust")] {
            let files = [
                (twins.failing, "fail", "o"),
                (twins.refused.map(str::as_bytes), "fail", "txt"),
                (twins.fixed, "fixed", "o"),
            ];
            for (bytes, kind, extension) in files {
                let Some(bytes) = bytes else { continue };
                let path = folder.join(format!("{}-{kind}.{language}.{extension}", entry.name));
                fs::write(&path, bytes).with_context(|| format!("write {}", path.display()))?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_twin() {
        for entry in ENTRIES {
            for twins in [&entry.c, &entry.rust] {
                let fails = twins.failing.is_some() || twins.refused.is_some();
                assert_eq!(fails, twins.fixed.is_some(), "{}", entry.name);
            }
        }
    }
}
