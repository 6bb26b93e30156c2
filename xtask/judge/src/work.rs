//! What judges do for the programs to see. Names and numbers are others at each run.

use std::fs;
use std::iter;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};

/// Every dynamic program comes with it, and the VM has no other programs. It is small, and ends at once.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A name that nobody can know beforehand, of 8 letters.
pub fn name() -> String {
    iter::repeat_with(fastrand::lowercase).take(8).collect()
}

/// Executes a program of this name, this many times, one after the other.
pub fn execute_as(name: &str, times: u64) -> Result<()> {
    let path = Path::new("/tmp").join(name);
    fs::copy(LOADER, &path).with_context(|| format!("make {}", path.display()))?;
    for _ in 0..times {
        let mut command = Command::new(&path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().with_context(|| format!("execute {}", path.display()))?;
    }
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}
