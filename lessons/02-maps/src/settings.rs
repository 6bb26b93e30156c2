//! What the eBPF program is told before it is loaded: which directory to watch, and how large its
//! maps are.

use std::fs::{self, File};
use std::os::linux::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use common::NotReady;
use nix::sys::stat::{major, minor};
use nix::sys::statfs::{BTRFS_SUPER_MAGIC, fstatfs};

use crate::event::Watched;

/// The programs are called `on_create` and so on, in Rust and in C, and attach to the functions
/// `security_inode_create` and so on.
pub const HOOKS: [&str; 8] = [
    "create", "mkdir", "mknod", "symlink", "link", "unlink", "rmdir", "rename",
];

pub struct Settings {
    pub path: PathBuf,
    pub watched: Watched,
    /// Size of the ring buffer, in bytes
    pub buffer: u32,
    /// Room in the map of processes
    pub processes: u32,
    /// While it is open, no other directory gets its inode number, even if it is removed.
    _directory: File,
}

impl Settings {
    pub fn new(path: &Path, buffer: u32, processes: u32) -> Result<Self> {
        let directory = File::open(path);
        let directory = directory.with_context(|| format!("cannot open {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
            watched: look_up(&directory, path)?,
            buffer,
            processes,
            _directory: directory,
        })
    }
}

/// The directory as the kernel knows it: an inode on a device.
fn look_up(directory: &File, path: &Path) -> Result<Watched> {
    let what = || format!("cannot look at {}", path.display());
    let file_system = fstatfs(directory).with_context(what)?.filesystem_type();
    if file_system == BTRFS_SUPER_MAGIC {
        return Err(ambiguous(path).into());
    }
    let metadata = directory.metadata().with_context(what)?;
    let device = metadata.st_dev();
    Ok(Watched {
        inode: metadata.st_ino(),
        // The kernel's own form has 12 bits for the major number and 20 for the minor; user space
        // gets the bits in another order.
        device: major(device) << 20 | minor(device),
    })
}

/// Each subvolume of btrfs numbers its inodes itself, and reports a device number that the kernel's
/// own structs do not have.
fn ambiguous(path: &Path) -> NotReady {
    NotReady::new(format!(
        "cannot tell {} from other directories: btrfs uses inode numbers twice",
        path.display()
    ))
    .help("watch a directory on another file system, for example on a tmpfs in /run")
}

/// For the command line: a path that is no directory is the user's mistake.
pub fn parse_directory(path: &str) -> Result<PathBuf, String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(path.into()),
        Ok(_) => Err("it is not a directory".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories_are_taken() {
        assert!(parse_directory("/").is_ok());
        assert_eq!(
            parse_directory("/dev/null").expect_err("it is a device"),
            "it is not a directory"
        );
        assert!(
            parse_directory("/nothing/here")
                .expect_err("it does not exist")
                .contains("No such file")
        );
    }

    #[test]
    fn a_directory_is_an_inode_on_a_device() {
        let settings = Settings::new(Path::new("/proc/self"), 4096, 2).expect("it exists");
        let metadata = fs::metadata("/proc/self").expect("it exists");
        assert_eq!(settings.watched.inode, metadata.st_ino());
        // /proc is no disk: its major number is 0.
        assert_eq!(settings.watched.device, metadata.st_dev() & 0xff);
    }
}
