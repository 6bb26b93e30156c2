//! The directory that is watched, as the kernel knows it: an inode on a device.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use common::NotReady;
use rustix::fs::{fstat, fstatfs, major, minor};

use crate::records::Watched;

/// `statfs` calls btrfs so.
const BTRFS: i64 = 0x9123_683e;

pub struct Directory {
    path: PathBuf,
    /// While it is open, no other directory gets its inode number, even when someone removes it.
    file: File,
}

/// For the command line: a path that is no directory is the user's mistake.
pub fn existing(path: &str) -> Result<PathBuf, String> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.is_dir() => Ok(path.into()),
        Ok(_) => Err("it is no directory".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

impl Directory {
    pub fn open(path: PathBuf) -> Result<Self> {
        let file = File::open(&path).with_context(|| format!("open {}", path.display()))?;
        Ok(Self { path, file })
    }

    pub fn watched(&self) -> Result<Watched> {
        let what = || format!("look at {}", self.path.display());
        if fstatfs(&self.file).with_context(what)?.f_type == BTRFS {
            return Err(ambiguous(&self.path).into());
        }
        let stat = fstat(&self.file).with_context(what)?;
        // The kernel keeps 12 bits for the major number and 20 for the minor; programs get them in
        // another order.
        let device = u64::from(major(stat.st_dev)) << 20 | u64::from(minor(stat.st_dev));
        Ok(Watched {
            inode: stat.st_ino,
            device,
        })
    }
}

impl Watched {
    /// As `stat` and /proc/self/mountinfo show it: `0:27`.
    pub fn device_name(&self) -> String {
        format!("{}:{}", self.device >> 20, self.device & 0xf_ffff)
    }
}

/// Each subvolume of btrfs counts its inodes anew, and programs are told device numbers that the
/// kernel's own structs do not have.
fn ambiguous(path: &Path) -> NotReady {
    NotReady::new(format!(
        "tell {} from other directories: btrfs uses inode numbers twice",
        path.display()
    ))
    .help("watch a directory on another file system, for example on a tmpfs below /run")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_directories() {
        assert!(existing("/").is_ok());
        assert_eq!(
            existing("/dev/null").expect_err("a device"),
            "it is no directory"
        );
        assert!(
            existing("/nothing/here")
                .expect_err("missing")
                .contains("No such file")
        );
    }

    #[test]
    fn devices_have_two_numbers() {
        assert_eq!(
            Watched {
                inode: 1,
                device: 8 << 20 | 3
            }
            .device_name(),
            "8:3"
        );
        assert_eq!(
            Watched {
                inode: 1,
                device: 300
            }
            .device_name(),
            "0:300"
        );
    }
}
