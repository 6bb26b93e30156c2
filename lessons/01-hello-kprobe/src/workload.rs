//! What the demo does: it removes one file that exists and one that does not.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::{env, process};

use anyhow::{Context as _, Result, bail};

const EXISTING: &str = "there.txt";
const MISSING: &str = "missing.txt";

/// Each removal enters the function once and leaves it once.
pub const EVENTS: usize = 4;

/// Works in a new directory, so that it cannot remove a file of yours.
pub fn remove_two_files() -> Result<()> {
    let before = env::current_dir().unwrap_or_else(|_| "/".into());
    let directory = env::temp_dir().join(format!("hello-kprobe-{}", process::id()));
    let path = directory.display();
    fs::create_dir(&directory).with_context(|| format!("cannot create {path}"))?;
    let removed = env::set_current_dir(&directory)
        .with_context(|| format!("cannot enter {path}"))
        .and_then(|()| remove_files());
    env::set_current_dir(before).with_context(|| format!("cannot leave {path}"))?;
    // Another function of the kernel removes a directory, so this adds no event.
    let cleaned = fs::remove_dir(&directory).with_context(|| format!("cannot remove {path}"));
    removed.and(cleaned)
}

fn remove_files() -> Result<()> {
    File::create(EXISTING).with_context(|| format!("cannot create {EXISTING}"))?;
    fs::remove_file(EXISTING).with_context(|| format!("cannot remove {EXISTING}"))?;
    match fs::remove_file(MISSING) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot remove {MISSING}")),
        Ok(()) => bail!("{MISSING} was removed, but it should not have existed"),
    }
}
