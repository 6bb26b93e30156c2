//! Room on the disk.

use std::path::Path;

use anyhow::Result;
use nix::sys::statvfs::statvfs;
use problem::Problem;

/// A clear word before gigabytes of work, not after.
pub fn need_space(directory: &Path, bytes: u64) -> Result<()> {
    let Some(free) = free_space(directory) else {
        return Ok(());
    };
    if free >= bytes {
        return Ok(());
    }
    let (need, have) = (bytes / 1_000_000, free / 1_000_000);
    Err(Problem::machine(format!(
        "not enough room in {}: set-up needs {need} MB, {have} MB are free",
        directory.display()
    ))
    .help(
        "make room there, or keep everything that is fetched elsewhere: XTASK_CACHE=DIRECTORY \
         cargo xtask setup",
    )
    .into())
}

/// The bytes that are free where `directory` is, if the system says.
pub fn free_space(directory: &Path) -> Option<u64> {
    let stat = statvfs(directory).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}
