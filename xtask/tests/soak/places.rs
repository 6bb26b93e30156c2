//! Where a run can leave something that outlives its processes.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::path::{Path, PathBuf};

use checkout::workspace;

/// What kind of thing a run left.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum LeftOver {
    Process,
    File,
    Snapshot,
    MemorySegment,
}

impl LeftOver {
    pub const ALL: [Self; 4] = [
        Self::Process,
        Self::File,
        Self::Snapshot,
        Self::MemorySegment,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Process => "processes",
            Self::File => "files",
            Self::Snapshot => "snapshots",
            Self::MemorySegment => "memory segments",
        }
    }
}

type Found = BTreeSet<(LeftOver, String)>;

/// What was there before a run, so that only what is new is its own.
pub struct Places {
    before: Found,
}

impl Places {
    pub fn look() -> Self {
        Self {
            before: find_unused(),
        }
    }

    /// What is there now, was not before, and is used by nobody.
    pub fn find_left_over(&self, temporary: &Path) -> Vec<(LeftOver, String)> {
        let mut left = files_in(temporary);
        left.extend(find_unused().difference(&self.before).cloned());
        left
    }
}

fn find_unused() -> Found {
    let mut unused = unused_segments();
    unused.extend(half_made_files());
    unused
}

fn files_in(directory: &Path) -> Vec<(LeftOver, String)> {
    let entries = fs::read_dir(directory).unwrap().map(Result::unwrap);
    let name = |entry: fs::DirEntry| format!("temporary file {}", entry.path().display());
    entries.map(|entry| (LeftOver::File, name(entry))).collect()
}

fn names_in(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

/// Files of the cache that are not whole, and that no living process is making: other tests use the
/// same cache.
fn half_made_files() -> Vec<(LeftOver, String)> {
    let cache = workspace::own_cache();
    let mut left = Vec::new();
    for name in names_in(&cache.join("init")) {
        let process = name.strip_prefix("new-");
        if process.is_some_and(|process| !is_alive(process)) {
            left.push((LeftOver::File, format!("half an init: {name}")));
        }
    }
    for name in names_in(&cache) {
        let process = name.strip_prefix("gallery-");
        let process = process.and_then(|rest| rest.split('-').next());
        if process.is_some_and(|process| !is_alive(process)) {
            left.push((LeftOver::File, format!("objects of the gallery: {name}")));
        }
    }
    let snapshots = cache.join("snapshots");
    for name in names_in(&snapshots) {
        if name.ends_with(".new") && !is_being_saved(&snapshots, &name) {
            left.push((LeftOver::Snapshot, format!("half a snapshot: {name}")));
        }
    }
    left
}

fn is_alive(process: &str) -> bool {
    Path::new("/proc").join(process).exists()
}

/// Whoever saves holds the lock of the kernel: `KERNEL-WHOSE.lock` of `KERNEL-KEY-WHOSE.new`.
fn is_being_saved(snapshots: &Path, name: &str) -> bool {
    let of_kernel = |lock: &PathBuf| {
        let stem = lock.file_stem().unwrap_or_default().to_string_lossy();
        let parts = stem.split_once("-vmlinux-");
        lock.extension().is_some_and(|ending| ending == "lock")
            && parts.is_some_and(|(kernel, whose)| {
                name.starts_with(kernel) && name.ends_with(&format!("-{whose}.new"))
            })
    };
    let mut locks = names_in(snapshots)
        .into_iter()
        .map(|name| snapshots.join(name));
    let Some(lock) = locks.find(of_kernel) else {
        return false;
    };
    let Ok(lock) = File::open(lock) else {
        return false;
    };
    // Given back at once. A file that was whole meanwhile has another name by now.
    lock.try_lock().is_err() || !snapshots.join(name).exists()
}

/// Shared memory that is there although no process has it: by name in /dev/shm, and of System V.
/// What lives without a name goes with the last process that has it.
fn unused_segments() -> Found {
    let named = names_in(Path::new("/dev/shm"));
    let mut unused = BTreeSet::new();
    if !named.is_empty() {
        let used = files_in_use();
        let is_used = |name: &String| used.contains(&Path::new("/dev/shm").join(name));
        unused.extend(
            named
                .into_iter()
                .filter(|name| !is_used(name))
                .map(|name| (LeftOver::MemorySegment, format!("/dev/shm/{name}"))),
        );
    }
    let table = fs::read_to_string("/proc/sysvipc/shm").unwrap_or_default();
    for line in table.lines().skip(1) {
        let words: Vec<&str> = line.split_whitespace().collect();
        if let [_, id, _, _, _, _, "0", ..] = words[..] {
            unused.insert((LeftOver::MemorySegment, format!("System V memory {id}")));
        }
    }
    unused
}

/// Open files and mapped files of all processes that this user may look at.
fn files_in_use() -> BTreeSet<PathBuf> {
    let mut used = BTreeSet::new();
    for process in fs::read_dir("/proc").unwrap().flatten() {
        for directory in ["fd", "map_files"] {
            let links = fs::read_dir(process.path().join(directory));
            let links = links.into_iter().flatten().flatten();
            used.extend(links.filter_map(|link| fs::read_link(link.path()).ok()));
        }
    }
    used
}
