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

/// Less room than this, in bytes, is none.
const FULL: u64 = 1_000_000;

/// Whether the disk that `directory` is on has no room left.
pub fn is_full(directory: &Path) -> bool {
    free_space(directory).is_some_and(|bytes| bytes < FULL)
}

/// The bytes that are free where `directory` is, if the system says.
pub fn free_space(directory: &Path) -> Option<u64> {
    let stat = statvfs(directory).ok()?;
    Some(stat.blocks_available() * stat.fragment_size())
}
