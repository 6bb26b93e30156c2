//! Where set-up works: a lock so that two runs do things once, and a folder whose content becomes visible only by
//! renaming. Everything in it belongs to the run that holds the lock; what a dead run left is removed by the next.

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};

use anyhow::Result;

use super::fault;
use crate::problem::Problem;
use crate::{screen, workspace};

pub struct Site {
    work: PathBuf,
    // Held until the value is dropped; the kernel lets go of it when the process dies.
    _lock: File,
}

impl Site {
    pub fn enter() -> Result<Self> {
        let work = folder();
        make(&work)?;
        let path = work.join("lock");
        let lock =
            File::create(&path).map_err(|error| fault::io(format!("create {}", path.display()), &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                screen::progress("another set-up is running in this checkout: waiting for it");
                lock.lock().map_err(|error| fault::io("wait for another set-up", &error))?;
            }
            Err(TryLockError::Error(error)) => return Err(fault::io("lock the set-up folder", &error).into()),
        }
        let site = Self { work, _lock: lock };
        site.clear()?;
        for name in ["stage", "downloads", "log"] {
            make(&site.work.join(name))?;
        }
        Ok(site)
    }

    /// A new empty folder to make something in.
    pub fn stage(&self, name: &str) -> Result<PathBuf> {
        let path = self.work.join("stage").join(name);
        remove(&path)?;
        make(&path)?;
        Ok(path)
    }

    /// Downloads survive a broken run, and apt goes on where it stopped.
    pub fn downloads(&self) -> PathBuf {
        self.work.join("downloads")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.work.join("log").join(name)
    }

    pub fn folder(&self) -> &Path {
        &self.work
    }

    /// Puts what was made in `staged` in its place, in one step for every reader.
    pub fn publish(&self, staged: &Path, place: &Path) -> Result<()> {
        if let Some(parent) = place.parent() {
            make(parent)?;
        }
        let old = self.work.join("stage/replaced");
        remove(&old)?;
        match fs::rename(place, &old) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(fault::io(format!("replace {}", place.display()), &error).into()),
        }
        fs::rename(staged, place)
            .map_err(|error| fault::io(format!("create {}", place.display()), &error))?;
        remove(&old)
    }

    /// Gives the space of downloads and package lists back once everything is in place.
    pub fn finish(self) -> Result<()> {
        remove(&self.work.join("downloads"))?;
        remove(&self.work.join("apt"))?;
        self.clear()
    }

    fn clear(&self) -> Result<()> {
        // apt keeps what failed its checks under this name, for debugging mirrors.
        for entry in self.downloads().read_dir().into_iter().flatten().flatten() {
            if entry.file_name().to_string_lossy().ends_with(".FAILED") {
                remove(&entry.path())?;
            }
        }
        remove(&self.work.join("stage"))
    }
}

impl Drop for Site {
    /// What a failed step left half done is of no use to the next run, and may be what filled the disk.
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

pub fn folder() -> PathBuf {
    workspace::cache().join("setup")
}

/// A clear word before gigabytes of work, not after.
pub fn need_space(bytes: u64) -> Result<()> {
    let folder = workspace::cache();
    make(&folder)?;
    let Some(free) = free_space(&folder) else { return Ok(()) };
    if free >= bytes {
        return Ok(());
    }
    let (need, have) = (bytes / 1_000_000, free / 1_000_000);
    Err(Problem::machine(format!(
        "not enough room in {}: set-up needs {need} MB, {have} MB are free",
        folder.display()
    ))
    .help(
        "make room there, or keep everything that is fetched elsewhere: XTASK_CACHE=FOLDER cargo xtask setup",
    )
    .into())
}

pub fn free_space(folder: &Path) -> Option<u64> {
    let stat = rustix::fs::statvfs(folder).ok()?;
    Some(stat.f_bavail * stat.f_frsize)
}

pub fn make(folder: &Path) -> Result<()> {
    fs::create_dir_all(folder)
        .map_err(|error| fault::io(format!("create {}", folder.display()), &error).into())
}

pub fn remove(path: &Path) -> Result<()> {
    let gone = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(fault::io(format!("remove {}", path.display()), &error).into())
        }
        _ => Ok(()),
    }
}
