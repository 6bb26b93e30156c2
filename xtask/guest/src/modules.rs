//! Kernel modules that came with the boot: whatever is resumed from here has them.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::PathBuf;

use anyhow::{Context, Result};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};
use plan::MODULES;

/// Loads them in the order of their file names; returns those that could not be loaded, and why.
pub fn load_all() -> Result<Vec<String>> {
    let entries = match fs::read_dir(MODULES) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error).with_context(|| format!("cannot read {MODULES}")),
    };
    let files = entries
        .map(|entry| Ok(entry?.file_name()))
        .collect::<Result<Vec<OsString>>>();
    let mut files = files.with_context(|| format!("cannot read {MODULES}"))?;
    files.sort();
    let failed = files.into_iter().filter_map(|file| {
        let name = file.to_string_lossy().into_owned();
        load(&PathBuf::from(MODULES).join(file))
            .err()
            .map(|error| format!("{name}: {error:#}"))
    });
    Ok(failed.collect())
}

fn load(path: &std::path::Path) -> Result<()> {
    let file = File::open(path)?;
    match finit_module(file, c"", ModuleInitFlags::empty()) {
        // The kernel may have it built in.
        Ok(()) | Err(Errno::EEXIST) => Ok(()),
        Err(error) => Err(io::Error::from(error).into()),
    }
}
