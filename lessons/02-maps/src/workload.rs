//! What the demo does: it changes names in a directory that no other process knows.

use std::fs::{self, File};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;

const NO_PATH: Option<&Path> = None;

/// Creates a directory on a file system that only this process sees, and the processes that it
/// starts. It is gone when they end, however they end.
pub fn create_directory() -> Result<PathBuf> {
    let parent = std::env::temp_dir();
    unshare(CloneFlags::CLONE_NEWNS).context("cannot leave the mount namespace")?;
    // Or else the new mount would appear in the namespace that was left.
    let private = MsFlags::MS_REC | MsFlags::MS_PRIVATE;
    mount(NO_PATH, "/", NO_PATH, private, NO_PATH).context("cannot make the mounts private")?;
    let flags = MsFlags::empty();
    mount(NO_PATH, &parent, Some("tmpfs"), flags, NO_PATH)
        .with_context(|| format!("cannot mount a tmpfs on {}", parent.display()))?;
    let path = parent.join("watched");
    fs::create_dir(&path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(path)
}

/// Makes changes of each kind in the directory, and one outside. Returns how many of them are to be
/// seen.
pub fn change_one_of_each(directory: &Path) -> Result<u64> {
    let path = |name: &str| directory.join(name);
    create_file(&path("notes.txt"))?;
    fs::create_dir(path("a")).context("cannot create a")?;
    fs::create_dir(path("a/b")).context("cannot create a/b")?;
    create_file(&path("a/b/deep.txt"))?;
    create_file(&path("../elsewhere.txt"))?;
    symlink("notes.txt", path("soft")).context("cannot create soft")?;
    fs::hard_link(path("notes.txt"), path("hard")).context("cannot create hard")?;
    mkfifo(&path("pipe"), Mode::S_IRUSR).context("cannot create pipe")?;
    fs::rename(path("notes.txt"), path("a/moved.txt")).context("cannot rename notes.txt")?;
    fs::rename(path("hard"), path("../out.txt")).context("cannot rename hard")?;
    fs::remove_file(path("a/b/deep.txt")).context("cannot remove deep.txt")?;
    fs::remove_dir(path("a/b")).context("cannot remove a/b")?;
    Ok(12)
}

pub fn create_file(path: &Path) -> Result<()> {
    File::create(path).with_context(|| format!("cannot create {}", path.display()))?;
    Ok(())
}

/// Starts two processes that create a file each. Returns how many changes are to be seen.
pub fn start_two_processes(directory: &Path) -> Result<u64> {
    for name in ["editor", "backup"] {
        let mut command = Command::new("/proc/self/exe");
        command.args(["--play", name]);
        command.arg(directory.join(format!("by-{name}")));
        let status = command.status();
        let status = status.with_context(|| format!("cannot start {name}"))?;
        ensure!(status.success(), "{name} failed: {status}");
    }
    Ok(2)
}

/// What each of those processes does.
pub fn create_file_as(name: &str, path: &str) -> Result<()> {
    fs::write("/proc/self/comm", name).context("cannot take another name")?;
    create_file(Path::new(path))
}

/// Creates and removes 600 files.
pub fn make_storm(directory: &Path) -> Result<()> {
    for number in 0..600 {
        let path = directory.join(format!("storm-{number:06}"));
        create_file(&path)?;
        fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    Ok(())
}
