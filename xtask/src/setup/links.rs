//! `.cache/bin/` of the checkout, where `.cargo/config.toml` looks for what set-up found or installed, with notes of
//! what was tried. In the checkout even when the cache is elsewhere: cargo's configuration cannot follow a variable,
//! and what was tried holds for this machine only.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{child, fault, site};
use crate::workspace;

pub fn place(name: &str) -> PathBuf {
    folder().join(name)
}

fn folder() -> PathBuf {
    workspace::own_cache().join("bin")
}

/// Notes that a program was tried, and under which circumstances.
pub fn note(name: &str, circumstances: &str) -> Result<()> {
    site::make(&folder())?;
    let path = note_place(name);
    std::fs::write(&path, circumstances)
        .map_err(|error| fault::io(format!("write {}", path.display()), &error).into())
}

/// Whether the program was tried under the same circumstances.
pub fn is_noted(name: &str, circumstances: &str) -> bool {
    noted(name).is_some_and(|noted| noted == circumstances)
}

/// What was noted about the program.
pub fn noted(name: &str) -> Option<String> {
    std::fs::read_to_string(note_place(name)).ok()
}

fn note_place(name: &str) -> PathBuf {
    folder().join(format!("{name}.tried"))
}

pub fn works(name: &str) -> bool {
    child::is_executable(&place(name))
}

/// Makes the link, or moves it, in one step.
pub fn set(name: &str, target: &Path) -> Result<()> {
    let link = place(name);
    site::make(&folder())?;
    let partial = folder().join(format!(".{name}.partial"));
    site::remove(&partial)?;
    symlink(target, &partial)
        .and_then(|()| std::fs::rename(&partial, &link))
        .map_err(|error| fault::io(format!("link {}", link.display()), &error).into())
}
