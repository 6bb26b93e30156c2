//! What the eBPF programs are told before they are loaded, and how COMMAND is started under them.

use std::ffi::{CString, OsString};
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{self, Command};

use anyhow::{Context as _, Result, bail};
use common::process_tree::{NotStarted, ProcessTree};
use common::{NotReady, text};
use nix::errno::Errno;
use nix::fcntl::{OFlag, open};
use nix::sys::stat::{Mode, major, minor};

/// What the new process says when the policy did not deny the directory. No system call that it
/// makes fails with this.
const NOT_DENIED: Errno = Errno::ENOTRECOVERABLE;

pub struct Policy {
    /// As the user wrote it
    pub directory: PathBuf,
    pub device: u32,
    pub inode: u64,
    /// Our own process: its children are covered.
    pub pid: u32,
    pub audit: bool,
    /// How many tasks can be covered at the same time
    pub max_tasks: u32,
}

impl Policy {
    pub fn new(directory: &Path, audit: bool, max_tasks: u32) -> Result<Self> {
        let path = directory.display();
        let metadata = fs::metadata(directory).with_context(|| format!("cannot find {path}"))?;
        if !metadata.is_dir() {
            bail!("cannot deny {path}: it is not a directory");
        }
        Ok(Self {
            directory: directory.to_owned(),
            // Inside the kernel a device number has 12 bits for the major part and 20 for the
            // minor; stat(2) mixes them.
            device: (major(metadata.dev()) << 20 | minor(metadata.dev())) as u32,
            inode: metadata.ino(),
            pid: process::id(),
            audit,
            max_tasks,
        })
    }

    // ANCHOR: start
    /// Forks a process, which the programs cover. It tests the policy before it becomes COMMAND.
    pub fn start_command(&self, words: &[OsString]) -> Result<ProcessTree> {
        let (program, arguments) = words.split_first().context("there is no command")?;
        let directory = CString::new(self.directory.as_os_str().as_bytes())?;
        let audit = self.audit;
        let test = move || match (open(&*directory, OFlag::O_DIRECTORY, Mode::empty()), audit) {
            (Err(Errno::EPERM), false) | (Ok(_), true) => Ok(()),
            (Ok(_), false) => Err(NOT_DENIED.into()),
            (Err(error), _) => Err(error.into()),
        };
        let mut command = Command::new(program);
        command.args(arguments);
        // SAFETY: between fork and exec there are few system calls, and nothing is allocated.
        unsafe { command.pre_exec(test) };
        ProcessTree::spawn(&mut command).map_err(|error| self.explain(error))
    }
    // ANCHOR_END: start

    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let cause = error.downcast_ref().and_then(NotStarted::raw_os_error);
        if cause != Some(NOT_DENIED as i32) {
            return error;
        }
        let directory = text::printable(self.directory.as_os_str().as_bytes());
        let what = format!("the test of the policy failed: {directory} could be opened");
        NotReady::new(what)
            .help("inside the kernel, btrfs and overlayfs have other numbers: choose another place")
            .help("so have processes in a container: run it outside of the container")
            .into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_known_by_device_and_inode() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let metadata = fs::metadata(directory.path()).expect("it is there");
        let policy = Policy::new(directory.path(), false, 1).expect("it is a directory");
        assert_eq!(policy.inode, metadata.ino());
        assert_eq!(u64::from(policy.device >> 20), major(metadata.dev()));
        assert_eq!(u64::from(policy.device & 0xf_ffff), minor(metadata.dev()));
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let file = directory.path().join("file");
        fs::write(&file, "").expect("a file can be written");
        for (path, why) in [
            (file.clone(), "it is not a directory"),
            (file.join("x"), "Not a directory"),
        ] {
            let error = Policy::new(&path, false, 1)
                .err()
                .expect("it is no directory");
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
    }
}
