//! The entries of the gallery, as the build script found them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, bail};
use common::say;

/// One error of the verifier, with a program that causes it and its fixed twin, in both languages.
pub struct Entry {
    pub name: &'static str,
    pub title: &'static str,
    pub rule: &'static str,
    pub c: Twins,
    pub rust: Twins,
}

/// Object files. `None`: this program cannot be written in that language, or does not build; the gallery says why.
pub struct Twins {
    pub failing: Option<&'static [u8]>,
    pub fixed: Option<&'static [u8]>,
}

const ENTRIES: &[Entry] = include!(concat!(env!("OUT_DIR"), "/entries.rs"));

pub fn find(names: &[impl AsRef<str>]) -> Result<Vec<&'static Entry>> {
    names.iter().map(|name| find_one(name.as_ref())).collect()
}

fn find_one(name: &str) -> Result<&'static Entry> {
    match ENTRIES.iter().find(|entry| entry.name == name) {
        Some(entry) => Ok(entry),
        None => bail!("find entry '{name}': there is none of that name; --list shows them"),
    }
}

pub fn list() -> Result<()> {
    let width = ENTRIES.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    ENTRIES.iter().try_for_each(|entry| say(&format!("{:width$}  {}", entry.name, entry.title)))
}

/// Writes `ENTRY-fail.c.o`, `ENTRY-fixed.rust.o` and the like.
pub fn write_objects(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder).with_context(|| format!("create {}", folder.display()))?;
    for entry in ENTRIES {
        for (twins, language) in [(&entry.c, "c"), (&entry.rust, "rust")] {
            for (object, kind) in [(twins.failing, "fail"), (twins.fixed, "fixed")] {
                let Some(object) = object else { continue };
                let path = folder.join(format!("{}-{kind}.{language}.o", entry.name));
                fs::write(&path, object).with_context(|| format!("write {}", path.display()))?;
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
                // A failing program that does not build has no object file, but its twin has.
                assert!(twins.fixed.is_some() || twins.failing.is_none(), "{}", entry.name);
            }
        }
    }

    #[test]
    fn an_unknown_name_is_said() {
        let error = find(&["map-value-bound"]).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("'map-value-bound'"), "{error}");
    }
}
