//! The cgroup that programs for connections are attached to. It has no process but the judge, and
//! that only while it connects.

use std::fs::{self, File};
use std::io;
use std::path::Path;
use std::process;

use anyhow::{Context as _, Result};

/// Where the VM has all cgroups.
const ROOT: &str = "/sys/fs/cgroup";

pub const DIRECTORY: &str = "/sys/fs/cgroup/clients";

/// Makes the cgroup, if it is not there.
pub fn make_directory() -> io::Result<File> {
    fs::create_dir_all(DIRECTORY)?;
    File::open(DIRECTORY)
}

/// Does this while the judge is in the cgroup, with all of its threads.
pub fn work_inside<T>(work: impl FnOnce() -> Result<T>) -> Result<T> {
    move_to(DIRECTORY)?;
    let worked = work();
    move_to(ROOT)?;
    worked
}

fn move_to(directory: &str) -> Result<()> {
    let processes = Path::new(directory).join("cgroup.procs");
    fs::write(&processes, process::id().to_string())
        .with_context(|| format!("write to {}", processes.display()))
}
