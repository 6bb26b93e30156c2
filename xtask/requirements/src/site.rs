//! Where set-up works: a lock so that two runs do things once, and a directory whose content
//! becomes visible only by renaming. Everything in it belongs to the run that holds the lock; what
//! a dead run left is removed by the next.

use std::fs::{self, File, TryLockError};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use checkout::workspace;
use nix::libc::O_NOFOLLOW;
use problem::Problem;

use crate::fault;
use crate::reporter::Reporter;
use crate::step::SetupStep;

pub struct SetupSite {
    work: PathBuf,
    /// Another one for each run: a compiler may outlive a run that was killed for seconds, and
    /// goes on writing.
    stage: PathBuf,
    fills_cache: bool,
    reporter: &'static dyn Reporter,
    // Held until the value is dropped; the kernel lets go of it when the process dies.
    _lock: File,
}

impl SetupSite {
    /// A shared cache may be another user's or read-only: then the work is done in the checkout's
    /// own, and what is in the shared one is used as it is.
    pub(crate) fn open_work_area(reporter: &'static dyn Reporter) -> Result<Self> {
        Self::enter_one(
            &workspace::cache_directory(),
            &workspace::own_cache(),
            reporter,
        )
    }

    fn enter_one(cache: &Path, own: &Path, reporter: &'static dyn Reporter) -> Result<Self> {
        let mut work = cache.join("setup");
        let mut opened = open_lock(&work);
        let fills_cache = may_work_in(cache, own, &opened);
        if !fills_cache {
            work = own.join("setup");
            opened = open_lock(&work);
        }
        let lock = opened
            .map_err(|error| fault::io_problem(format!("work in {}", work.display()), &error))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                reporter.begin(&format!(
                    "another set-up{} is working in {}: waiting for it",
                    holder(&work),
                    work.display()
                ));
                lock.lock().map_err(|error| not_locked(&work, &error))?;
            }
            Err(TryLockError::Error(error)) => return Err(not_locked(&work, &error).into()),
        }
        name_holder(&lock);
        let site = Self {
            stage: work.join("stage").join(std::process::id().to_string()),
            work,
            fills_cache,
            reporter,
            _lock: lock,
        };
        site.clear()?;
        for directory in ["downloads", "log"].map(|name| site.work.join(name)) {
            create_directory(&directory)?;
        }
        create_directory(&site.stage)?;
        Ok(site)
    }

    /// Starts a step of the work, and says so.
    pub(crate) fn start_step(&self, name: &str, what: &str) -> SetupStep {
        SetupStep::start(self.reporter, name, what)
    }

    pub(crate) fn reporter(&self) -> &'static dyn Reporter {
        self.reporter
    }

    /// A new empty directory to make something in.
    pub fn create_stage(&self, name: &str) -> Result<PathBuf> {
        let path = self.stage.join(name);
        remove_path(&path)?;
        create_directory(&path)?;
        Ok(path)
    }

    /// Downloads survive a broken run, and apt goes on where it stopped.
    pub fn downloads_directory(&self) -> PathBuf {
        self.work.join("downloads")
    }

    pub fn log_path(&self, name: &str) -> PathBuf {
        self.work.join("log").join(name)
    }

    pub fn work_directory(&self) -> &Path {
        &self.work
    }

    /// Puts what was made in `staged` in its place, in one step for every reader.
    pub fn move_into_place(&self, staged: &Path, place: &Path) -> Result<()> {
        if let Some(parent) = place.parent() {
            create_directory(parent)?;
        }
        let old = self.stage.join("replaced");
        remove_path(&old)?;
        match fs::rename(place, &old) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => {
                return Err(
                    fault::io_problem(format!("replace {}", place.display()), &error).into(),
                );
            }
        }
        fs::rename(staged, place)
            .map_err(|error| fault::io_problem(format!("create {}", place.display()), &error))?;
        remove_path(&old)
    }

    /// Gives the space of downloads and package lists back once everything is in place.
    pub fn remove_leftovers(self) -> Result<()> {
        remove_path(&self.work.join("downloads"))?;
        remove_path(&self.work.join("apt"))?;
        self.clear()
    }

    fn clear(&self) -> Result<()> {
        // apt keeps what failed its checks under this name, for debugging mirrors.
        for entry in self
            .downloads_directory()
            .read_dir()
            .into_iter()
            .flatten()
            .flatten()
        {
            if entry.file_name().to_string_lossy().ends_with(".FAILED") {
                remove_path(&entry.path())?;
            }
        }
        match fs::remove_dir_all(self.work.join("stage")) {
            // A program of a run that was killed still writes there: the next run removes it.
            Err(error) if error.kind() == io::ErrorKind::DirectoryNotEmpty => Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => {
                let what = format!("remove {}", self.work.join("stage").display());
                Err(fault::io_problem(what, &error).into())
            }
            Ok(()) => Ok(()),
        }
    }
}

impl Drop for SetupSite {
    /// What a failed step left half done is of no use to the next run, and may be what filled the
    /// disk.
    fn drop(&mut self) {
        let _ = self.clear();
    }
}

fn open_lock(work: &Path) -> io::Result<File> {
    fs::create_dir_all(work)?;
    let mut options = File::options();
    // Not emptied: it names the process that holds it.
    options.write(true).create(true).truncate(false);
    // A link there is nobody's of ours.
    options.custom_flags(O_NOFOLLOW);
    options.open(work.join("lock"))
}

/// For a person that waits. Nothing depends on it: a full disk may have no room for it.
fn name_holder(mut lock: &File) {
    let host = fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let text = format!("process {} on {}", std::process::id(), host.trim());
    let _ = lock
        .set_len(0)
        .and_then(|()| lock.write_all(text.as_bytes()));
}

/// The process that holds the lock, as " (process 5 on HOST)", if it is known.
fn holder(work: &Path) -> String {
    match fs::read_to_string(work.join("lock")) {
        Ok(holder) if !holder.is_empty() => format!(" ({holder})"),
        _ => String::new(),
    }
}

/// Some file systems of a network have no locks.
fn not_locked(work: &Path, error: &io::Error) -> Problem {
    Problem::machine(format!("cannot lock {}: {error}", work.display())).help(
        "keep everything that is fetched on a disk of this machine: XTASK_CACHE=DIRECTORY cargo \
         xtask setup",
    )
}

fn may_work_in(cache: &Path, own: &Path, opened: &io::Result<File>) -> bool {
    cache == own || !opened.as_ref().is_err_and(is_not_allowed)
}

/// False where a shared cache is another user's or read-only.
pub fn is_cache_writable() -> bool {
    let (cache, own) = (workspace::cache_directory(), workspace::own_cache());
    may_work_in(&cache, &own, &open_lock(&cache.join("setup")))
}

fn is_not_allowed(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem
    )
}

/// A clear word before a download, not after.
pub fn may_fill_cache(site: &SetupSite) -> Result<()> {
    if site.fills_cache {
        return Ok(());
    }
    let cache = workspace::cache_directory();
    Err(Problem::machine(format!(
        "something is missing in {}, and there is no right to write there",
        cache.display()
    ))
    .help("ask whoever owns it to type: cargo xtask setup")
    .help("or use this checkout's own cache: env -u XTASK_CACHE cargo xtask setup")
    .into())
}

/// Writes a file so that whoever reads it gets the old text or the new one, even after a crash.
pub fn replace_file(path: &Path, bytes: &[u8]) -> Result<()> {
    let partial = partial_path(path);
    let replaced = create_partial(&partial)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&partial, path));
    replaced.map_err(|error| {
        let _ = fs::remove_file(&partial);
        fault::io_problem(format!("write {}", path.display()), &error).into()
    })
}

/// Fails where [`replace_file`] would, for a clear word before long work.
pub fn check_replaceable(path: &Path) -> Result<()> {
    let partial = partial_path(path);
    create_partial(&partial)
        .and_then(|_| fs::remove_file(&partial))
        .map_err(|error| fault::io_problem(format!("write {}", path.display()), &error).into())
}

/// A new file, whatever a dead process of the same number has left there.
fn create_partial(partial: &Path) -> io::Result<File> {
    match fs::remove_file(partial) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    File::create_new(partial)
}

/// Beside the file, and another one for each process.
fn partial_path(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{}", std::process::id()));
    path.with_file_name(name)
}

pub fn create_directory(directory: &Path) -> Result<()> {
    fs::create_dir_all(directory).map_err(|error| {
        fault::io_problem(format!("create {}", directory.display()), &error).into()
    })
}

pub fn remove_path(path: &Path) -> Result<()> {
    let gone = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match gone {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(fault::io_problem(format!("remove {}", path.display()), &error).into())
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use super::*;

    /// For work of which nothing is to be seen.
    struct Silent;

    impl Reporter for Silent {
        fn begin(&self, _: &str) {}
        fn done(&self, _: &str) {}
        fn note(&self, _: &str) {}
        fn show_status(&self, _: &str) {}
        fn clear_status(&self) {}

        fn is_interactive(&self) -> bool {
            false
        }

        fn confirm(&self, _: &str) -> Result<bool> {
            Ok(false)
        }
    }

    #[test]
    fn a_cache_of_another_user_is_not_worked_in() {
        // Not even root may create a directory there.
        let shared = Path::new("/sys/kernel");
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path();
        let site = SetupSite::enter_one(shared, own, &Silent).unwrap();
        assert_eq!(
            (site.work_directory(), site.fills_cache),
            (&*own.join("setup"), false)
        );
        drop(site);
        let site = SetupSite::enter_one(&own.join("shared"), own, &Silent).unwrap();
        assert_eq!(
            (site.work_directory(), site.fills_cache),
            (&*own.join("shared/setup"), true)
        );
        drop(site);
    }

    /// A run that was killed may leave a compiler behind that works on for seconds.
    #[test]
    fn what_a_killed_run_still_writes_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let own = directory.path();
        let left = own.join("setup/stage/4711/target");
        fs::create_dir_all(&left).unwrap();
        let done = AtomicBool::new(false);
        let write_on = &|name: char| {
            while !done.load(Ordering::Relaxed) {
                let _ = fs::create_dir_all(&left);
                for number in 0..20 {
                    let _ = fs::write(left.join(format!("{name}{number}")), "");
                }
            }
        };
        thread::scope(|scope| {
            for name in ['a', 'b', 'c'] {
                scope.spawn(move || write_on(name));
            }
            let opened: Vec<bool> = (0..30)
                .map(|_| SetupSite::enter_one(own, own, &Silent).is_ok())
                .collect();
            done.store(true, Ordering::Relaxed);
            assert!(opened.iter().all(|is_ok| *is_ok), "{opened:?}");
        });
        let site = SetupSite::enter_one(own, own, &Silent).unwrap();
        assert!(!own.join("setup/stage/4711").exists());
        drop(site);
        assert!(!own.join("setup/stage").exists());
    }

    #[test]
    fn a_file_is_replaced_whole_or_not_at_all() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kernels.lock");
        let names = || fs::read_dir(&directory).unwrap().flatten().count();
        check_replaceable(&path).unwrap();
        assert_eq!(names(), 0);
        fs::write(&path, "old").unwrap();
        // Whoever has the file open goes on with what it was.
        let mut reader = File::open(&path).unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!(io::read_to_string(&mut reader).unwrap(), "old");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(names(), 1);
        // Not even root may create a file there.
        assert!(check_replaceable(Path::new("/sys/kernel/kernels.lock")).is_err());
    }

    #[test]
    fn a_link_in_the_place_of_a_file_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let (work, other) = (directory.path(), directory.path().join("other"));
        fs::write(&other, "of another").unwrap();
        std::os::unix::fs::symlink(&other, work.join("lock")).unwrap();
        assert!(open_lock(work).is_err());
        let path = work.join("kernels.lock");
        std::os::unix::fs::symlink(&other, partial_path(&path)).unwrap();
        replace_file(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
        assert_eq!(fs::read_to_string(&other).unwrap(), "of another");
    }

    #[test]
    fn rights_are_told_from_other_faults() {
        assert!(is_not_allowed(&io::ErrorKind::PermissionDenied.into()));
        assert!(is_not_allowed(&io::ErrorKind::ReadOnlyFilesystem.into()));
        assert!(!is_not_allowed(&io::ErrorKind::StorageFull.into()));
    }
}
