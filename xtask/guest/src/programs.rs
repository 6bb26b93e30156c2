//! The root that steps run in: the programs of this run, on a file system of their own that no step
//! can change, with fresh directories for what a plan writes. What a plan writes goes when its
//! directories go. Only a plan with [`plan::Surroundings`] may change everything.

use std::ffi::{CStr, OsStr};
use std::fs::{self, File, Permissions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::{Component, Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use cpio::newc;
use nix::errno::Errno;
use nix::mount::{MntFlags, MsFlags, mount, umount2};
use nix::unistd::{chdir, chroot};
use plan::{BOOT_ARCHIVE, Source};

use crate::shared::{SharedDevice, SharedMemory};

/// Where it is for init; the root for its steps.
pub const ROOT: &str = "/work";
const C_ROOT: &CStr = c"/work";

/// The guest's own, seen from inside.
const BOUND: [&str; 3] = ["dev", "proc", "sys"];

/// New and empty for each plan.
const FRESH: [&str; 4] = ["root", "run", "tmp", "var"];

/// Bytes of an entry before its name.
const HEADER: usize = 110;

const KIND: u32 = 0o170_000;
const DIRECTORY: u32 = 0o040_000;
const LINK: u32 = 0o120_000;

/// The root, which is mounted when the guest boots: what is done then, no resumed guest has to do.
pub struct Root {
    memory: Option<SharedDevice>,
    has_programs: bool,
    /// What was put beside the programs, in the order in which it was made.
    added: Vec<PathBuf>,
    has_fresh_directories: bool,
}

impl Root {
    /// Mounts it without programs.
    pub fn mount_empty() -> Result<Self> {
        mount_root()?;
        Ok(Self {
            memory: SharedDevice::find()?,
            has_programs: false,
            added: Vec::new(),
            has_fresh_directories: false,
        })
    }

    /// Puts the programs in place of those that were there.
    pub fn unpack_programs(&mut self, source: Source) -> Result<()> {
        if self.has_programs {
            umount2(ROOT, MntFlags::MNT_DETACH)
                .with_context(|| format!("cannot unmount {ROOT}"))?;
            // They were inside.
            self.has_fresh_directories = false;
            self.added.clear();
            mount_root()?;
        }
        self.has_programs = true;
        match source {
            Source::SharedMemory(length) => {
                let memory = self.map_memory(length)?;
                self.unpack(memory.bytes())?;
            }
            Source::Boot => {
                let archive = fs::read(BOOT_ARCHIVE);
                self.unpack(&archive.with_context(|| format!("cannot read {BOOT_ARCHIVE}"))?)?;
            }
        }
        protect()
    }

    /// Puts more programs beside those that are there.
    pub fn add_programs(&mut self, length: usize) -> Result<()> {
        remount_root(MsFlags::empty()).with_context(|| format!("cannot make {ROOT} writable"))?;
        let memory = self.map_memory(length)?;
        visit_entries(memory.bytes(), |name, mode, contents| {
            let path = inside(name);
            if path.symlink_metadata().is_err() {
                self.added.push(path);
            }
            create(name, mode, contents).with_context(|| format!("cannot create {name}"))
        })?;
        protect()
    }

    /// Removes what was put beside the programs.
    pub fn remove_added(&mut self) -> Result<()> {
        remount_root(MsFlags::empty()).with_context(|| format!("cannot make {ROOT} writable"))?;
        // What is in a directory was made after it.
        for path in self.added.drain(..).rev() {
            let removed = match path.symlink_metadata() {
                Ok(data) if data.is_dir() => fs::remove_dir(&path),
                _ => fs::remove_file(&path),
            };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
        }
        protect()
    }

    /// Lets a plan write everywhere, on one file system with one limit.
    pub fn allow_changes(&mut self) -> Result<()> {
        self.unmount_fresh_directories()?;
        remount_root(MsFlags::empty()).with_context(|| format!("cannot make {ROOT} writable"))
    }

    fn map_memory(&self, length: usize) -> Result<SharedMemory> {
        let device = self.memory.as_ref();
        device
            .context("this VM has no shared memory")?
            .map_memory(length)
    }

    /// Mounts the directories that a plan may write to, unless they are there and untouched.
    pub fn mount_fresh_directories(&mut self) -> Result<()> {
        if !self.has_fresh_directories {
            for directory in FRESH {
                mount_tmpfs(&inside(directory), None)
                    .with_context(|| format!("cannot mount {directory}"))?;
            }
        }
        self.has_fresh_directories = true;
        Ok(())
    }

    /// Takes them away with all that is in them, mounts included.
    pub fn unmount_fresh_directories(&mut self) -> Result<()> {
        if !self.has_fresh_directories {
            return Ok(());
        }
        self.has_fresh_directories = false;
        for directory in FRESH {
            match umount2(&inside(directory), MntFlags::MNT_DETACH) {
                // A program may have done it.
                Ok(()) | Err(Errno::EINVAL) => {}
                Err(error) => {
                    return Err(error).with_context(|| format!("cannot unmount {directory}"));
                }
            }
        }
        Ok(())
    }

    /// What an archive has for a fresh directory must not go into the file system that is mounted
    /// there: a plan that may write everywhere has none.
    fn unpack(&mut self, archive: &[u8]) -> Result<()> {
        if fills_fresh_directory(archive)? {
            self.unmount_fresh_directories()?;
        }
        unpack_archive(archive)
    }
}

fn mount_root() -> Result<()> {
    fs::create_dir_all(ROOT).with_context(|| format!("cannot create {ROOT}"))?;
    // Fewer, larger pages take a third less time to fill. A kernel without them does not know the
    // word.
    let root = Path::new(ROOT);
    mount_tmpfs(root, Some("huge=within_size"))
        .or_else(|_| mount_tmpfs(root, None))
        .with_context(|| format!("cannot mount {ROOT}"))?;
    for directory in BOUND.iter().chain(&FRESH) {
        fs::create_dir_all(inside(directory))
            .with_context(|| format!("cannot create {directory}"))?;
    }
    for directory in BOUND {
        bind_recursive(&Path::new("/").join(directory), &inside(directory))
            .with_context(|| format!("cannot bind {directory}"))?;
    }
    Ok(())
}

fn protect() -> Result<()> {
    remount_root(MsFlags::MS_RDONLY).with_context(|| format!("cannot make {ROOT} read-only"))
}

fn remount_root(flags: MsFlags) -> nix::Result<()> {
    let flags = MsFlags::MS_REMOUNT | flags;
    mount(None::<&str>, ROOT, None::<&str>, flags, None::<&str>)
}

/// An empty file system in memory.
fn mount_tmpfs(target: &Path, options: Option<&str>) -> nix::Result<()> {
    let tmpfs = Some("tmpfs");
    mount(tmpfs, target, tmpfs, MsFlags::empty(), options)
}

/// The mount at `source` and all that is mounted inside it.
fn bind_recursive(source: &Path, target: &Path) -> nix::Result<()> {
    let flags = MsFlags::MS_BIND | MsFlags::MS_REC;
    mount(Some(source), target, None::<&str>, flags, None::<&str>)
}

/// A directory as a step sees it, with those around it.
pub fn create_directory(directory: &str) -> Result<()> {
    let path = inside(directory.trim_start_matches('/'));
    fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))
}

/// Makes a program start with the programs' root as its own, in this directory of it.
pub fn enter_root(command: &mut Command, directory: &CStr) {
    let directory = directory.to_owned();
    // SAFETY: between fork and exec only two system calls are made, with arguments that are there
    // already.
    unsafe {
        command.pre_exec(move || {
            chroot(C_ROOT)?;
            chdir(directory.as_c_str())?;
            Ok(())
        });
    }
}

fn fills_fresh_directory(archive: &[u8]) -> Result<bool> {
    let mut found = false;
    visit_entries(archive, |name, _, _| {
        let (top, rest) = name.split_once('/').unwrap_or_default();
        found |= FRESH.contains(&top) && !rest.is_empty();
        Ok(())
    })?;
    Ok(found)
}

fn unpack_archive(archive: &[u8]) -> Result<()> {
    visit_entries(archive, |name, mode, contents| {
        create(name, mode, contents).with_context(|| format!("cannot create {name}"))
    })
}

/// Hands out name, mode and contents of each entry.
fn visit_entries(
    archive: &[u8],
    mut visit: impl FnMut(&str, u32, &[u8]) -> Result<()>,
) -> Result<()> {
    let mut at = 0;
    loop {
        let rest = archive
            .get(at..)
            .context("the archive of the programs has no end")?;
        let entry = newc::Reader::new(rest).context("the archive of the programs is damaged")?;
        let entry = entry.entry();
        if entry.is_trailer() {
            return Ok(());
        }
        let (name, size) = (entry.name(), entry.file_size() as usize);
        // The name ends with a zero byte; name and contents are filled up to a multiple of four.
        let start = at + (HEADER + name.len() + 1).next_multiple_of(4);
        let contents = archive
            .get(start..start + size)
            .with_context(|| format!("{name} is cut off in the archive"))?;
        visit(name, entry.mode(), contents)?;
        at = (start + size).next_multiple_of(4);
    }
}

fn create(name: &str, mode: u32, contents: &[u8]) -> Result<()> {
    let relative = Path::new(name);
    ensure!(
        relative
            .components()
            .all(|part| matches!(part, Component::Normal(_))),
        "it leaves the archive"
    );
    let path = inside(name);
    match mode & KIND {
        // Those that are mounted over exist already.
        DIRECTORY => fs::create_dir_all(&path)?,
        LINK => symlink(OsStr::from_bytes(contents), &path)?,
        _ => {
            let mut file = File::options().write(true).create_new(true).open(&path)?;
            file.write_all(contents)?;
            // All of them: the mode of a new file is without what the umask takes away.
            file.set_permissions(Permissions::from_mode(mode & 0o777))?;
        }
    }
    Ok(())
}

fn inside(name: &str) -> PathBuf {
    Path::new(ROOT).join(name)
}
