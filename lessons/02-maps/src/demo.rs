//! The workload. It works on a file system of its own, which hangs nowhere: no other process
//! changes anything there, and it is gone with this process, however that ends.

use std::fs::{self, File};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{self, Command};
use std::{env, ffi::CString};

use anyhow::{Context as _, Result, ensure};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::mount::{FsMountFlags, FsOpenFlags, MountAttrFlags, fsconfig_create, fsmount, fsopen};

pub struct Demo {
    /// How many changes the storm makes.
    pub storm: u32,
    folder: PathBuf,
    /// The file system lives as long as this is open.
    _mount: OwnedFd,
}

impl Demo {
    pub fn new(storm: u32) -> Result<Self> {
        let mount = new_file_system().context("make a file system for the demo")?;
        let folder = PathBuf::from(format!(
            "/proc/{}/fd/{}/watched",
            process::id(),
            mount.as_raw_fd()
        ));
        fs::create_dir(&folder).context("make a folder for the demo")?;
        Ok(Self {
            storm,
            folder,
            _mount: mount,
        })
    }

    pub fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    /// Changes of each kind below the folder, and one next to it: how many are to be seen.
    pub fn one_of_each(&self) -> Result<u64> {
        let path = |name: &str| self.folder.join(name);
        self.make("notes.txt")?;
        fs::create_dir(path("a")).context("make a")?;
        fs::create_dir(path("a/b")).context("make a/b")?;
        self.make("a/b/deep.txt")?;
        self.make("../elsewhere.txt")?;
        symlink("notes.txt", path("soft")).context("make soft")?;
        fs::hard_link(path("notes.txt"), path("hard")).context("make hard")?;
        mknodat(CWD, path("pipe"), FileType::Fifo, Mode::RUSR, 0).context("make pipe")?;
        fs::rename(path("notes.txt"), path("a/moved.txt")).context("rename notes.txt")?;
        fs::rename(path("hard"), path("../out.txt")).context("rename hard")?;
        fs::remove_file(path("a/b/deep.txt")).context("remove deep.txt")?;
        fs::remove_dir(path("a/b")).context("remove a/b")?;
        Ok(12)
    }

    pub fn make(&self, name: &str) -> Result<()> {
        File::create(self.folder.join(name))
            .map(drop)
            .with_context(|| format!("make {name}"))
    }

    /// Each by a process with a name of its own: how many are to be seen.
    pub fn two_processes(&self) -> Result<u64> {
        for name in ["editor", "backup"] {
            let mut command = Command::new(env::current_exe().context("find this program")?);
            command
                .args(["--play", name])
                .arg(self.folder.join(format!("by-{name}")));
            let status = command.status().with_context(|| format!("start {name}"))?;
            ensure!(status.success(), "wait for {name}: {status}");
        }
        Ok(2)
    }

    /// Makes and removes files, one after the other, each with a name of its own.
    pub fn make_and_remove(&self) -> Result<()> {
        for number in 0..self.storm / 2 {
            let path = self.folder.join(format!("storm-{number:06}"));
            File::create(&path).with_context(|| format!("make {}", path.display()))?;
            fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
        }
        Ok(())
    }
}

/// What a process that the demo starts does.
pub fn play(name: &str, file: &str) -> Result<()> {
    let comm = CString::new(name).context("take a name")?;
    rustix::thread::set_name(&comm).context("take a name")?;
    File::create(Path::new(file))
        .map(drop)
        .with_context(|| format!("make {file}"))
}

fn new_file_system() -> rustix::io::Result<OwnedFd> {
    let tmpfs = fsopen("tmpfs", FsOpenFlags::FSOPEN_CLOEXEC)?;
    fsconfig_create(&tmpfs)?;
    fsmount(
        &tmpfs,
        FsMountFlags::FSMOUNT_CLOEXEC,
        MountAttrFlags::empty(),
    )
}
