//! The entries of the gallery, as the build script found them.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use common::say;

/// One error of the verifier, with a program that causes it and its fixed twin, in both languages.
pub struct Pitfall {
    pub name: &'static str,
    pub title: &'static str,
    pub rule: &'static str,
    pub c: TwinObjects,
    pub rust: TwinObjects,
}

/// Object files. `None`: this program cannot be written in that language, or does not build; the
/// gallery says why.
pub struct TwinObjects {
    pub failing: Option<&'static [u8]>,
    /// What the compiler or the linker said of a failing program that does not build.
    pub refused: Option<&'static str>,
    pub fixed: Option<&'static [u8]>,
}

const PITFALLS: &[Pitfall] = include!(concat!(env!("OUT_DIR"), "/entries.rs"));

pub fn find_pitfall(name: &str) -> Result<&'static Pitfall> {
    let found = PITFALLS.iter().find(|pitfall| pitfall.name == name);
    found.with_context(|| format!("cannot find the entry {name}"))
}

pub fn list_pitfalls() -> Result<()> {
    let names = PITFALLS.iter().map(|pitfall| pitfall.name.len());
    let width = names.max().unwrap_or(0);
    for Pitfall { name, title, .. } in PITFALLS {
        say(&format!("{name:width$}  {title}"))?;
    }
    Ok(())
}

/// Writes `ENTRY-fail.c.o`, `ENTRY-fixed.rust.o` and the like, and `ENTRY-fail.c.txt` for what does
/// not build.
pub fn write_objects(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    for pitfall in PITFALLS {
        write_twins(directory, pitfall.name, "c", &pitfall.c)?;
        write_twins(directory, pitfall.name, "rust", &pitfall.rust)?;
    }
    Ok(())
}

fn write_twins(directory: &Path, name: &str, language: &str, twins: &TwinObjects) -> Result<()> {
    let files = [
        (twins.failing, "fail", "o"),
        (twins.refused.map(str::as_bytes), "fail", "txt"),
        (twins.fixed, "fixed", "o"),
    ];
    for (bytes, kind, extension) in files {
        if let Some(bytes) = bytes {
            let path = directory.join(format!("{name}-{kind}.{language}.{extension}"));
            fs::write(&path, bytes).with_context(|| format!("cannot write {}", path.display()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_has_its_twin() {
        for pitfall in PITFALLS {
            for twins in [&pitfall.c, &pitfall.rust] {
                let fails = twins.failing.is_some() || twins.refused.is_some();
                assert_eq!(fails, twins.fixed.is_some(), "{}", pitfall.name);
            }
        }
    }
}
