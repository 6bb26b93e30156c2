//! `.cache/bin/` of the checkout, where `.cargo/config.toml` looks for what set-up found or installed.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::{child, fault, site};
use crate::workspace;

/// In the checkout even when the cache is elsewhere: cargo's configuration cannot follow a variable.
pub fn place(name: &str) -> PathBuf {
    workspace::root().join(".cache/bin").join(name)
}

pub fn works(name: &str) -> bool {
    child::is_executable(&place(name))
}

/// Makes the link, or moves it, in one step.
pub fn set(name: &str, target: &Path) -> Result<()> {
    let link = place(name);
    let folder = workspace::root().join(".cache/bin");
    site::make(&folder)?;
    let partial = folder.join(format!(".{name}.partial"));
    site::remove(&partial)?;
    symlink(target, &partial)
        .and_then(|()| std::fs::rename(&partial, &link))
        .map_err(|error| fault::io(format!("link {}", link.display()), &error).into())
}
