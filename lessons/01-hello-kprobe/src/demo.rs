//! The workload: removes one file that exists and one that does not.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::{env, process};

use anyhow::{Context as _, Result, bail};

pub const THERE: &str = "there.txt";
pub const MISSING: &str = "missing.txt";
/// Each removal enters the function once and leaves it once.
pub const MESSAGES: usize = 4;

/// Works in a folder of its own, so that no file of yours can be meant.
pub fn remove_two_files() -> Result<()> {
    let before = env::current_dir().unwrap_or_else(|_| "/".into());
    let folder = env::temp_dir().join(format!("hello-kprobe-{}", process::id()));
    fs::create_dir(&folder).with_context(|| format!("create {}", folder.display()))?;
    let done = env::set_current_dir(&folder)
        .context("enter the demo's folder")
        .and_then(|()| remove());
    // Removing a folder goes through another function of the kernel, so it adds no message.
    env::set_current_dir(before).context("leave the demo's folder")?;
    let removed = fs::remove_dir(&folder).with_context(|| format!("remove {}", folder.display()));
    done.and(removed)
}

fn remove() -> Result<()> {
    File::create(THERE).with_context(|| format!("create {THERE}"))?;
    fs::remove_file(THERE).with_context(|| format!("remove {THERE}"))?;
    match fs::remove_file(MISSING) {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("remove {MISSING}")),
        Ok(()) => bail!("remove {MISSING}: it should not have existed"),
    }
}
