//! The files of an answer: read, and written without losing what was there.
//!
//! ```text
//!   .kept/e03-count-by-comm/1764622800-0-aya-main.rs    a copy, named after its time
//!   .kept/e03-count-by-comm/new-aya-main.rs             what the answer's file becomes next
//! ```
//!
//! The copy is on the disk before anything else changes. Then the new file and the old one swap
//! places in one step, so whatever an editor has saved meanwhile is found afterwards, and kept too.
//! Where the file system cannot swap, what is saved within that moment is replaced.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, Result};
use checkout::workspace;
use course::Implementation;
use course::exercises::{Exercise, Variant};
use nix::fcntl::{AT_FDCWD, RenameFlags, renameat2};
use problem::Problem;

use crate::output::screen;
use crate::pipeline::answer_build::course_path;

/// Writes the files of a starter or a solution over the answer's, after it kept copies of those
/// that are there. A file that is the same already stays as it is.
pub fn write_answer(
    exercise: &Exercise,
    implementation: Implementation,
    from: Variant,
) -> Result<()> {
    let paths = |variant| exercise.source_paths(variant, implementation);
    for (path, source) in paths(Variant::Answer).iter().zip(paths(from)) {
        let text =
            fs::read(&source).with_context(|| format!("cannot read {}", source.display()))?;
        if fs::read(path).ok().as_ref() != Some(&text) {
            let copies = workspace::workspace_root()
                .join(".kept")
                .join(exercise.base_name());
            let name = kept_name(&exercise.directory, path);
            KeptFiles::open(copies, name)
                .and_then(|kept| write_file(&kept, path, &text))
                .map_err(|error| not_written(path, &error))?;
            screen::show_note(&format!("written: {}", course_path(path)));
        }
    }
    Ok(())
}

fn not_written(path: &Path, error: &io::Error) -> Problem {
    let path = course_path(path);
    Problem::machine(format!("cannot keep and replace {path}: {error}"))
        .help("make room, or the directory writable, and try again; no text was lost")
}

/// The copies of one file of an answer. No other xtask changes answers of the same exercise while
/// this value lives.
struct KeptFiles {
    directory: PathBuf,
    /// What each copy's name ends with.
    name: String,
    lock: File,
}

impl KeptFiles {
    fn open(directory: PathBuf, name: String) -> io::Result<Self> {
        fs::create_dir_all(&directory)?;
        let lock = File::open(&directory)?;
        // Some file systems have no locks. Each copy has a name of its own all the same.
        let _ = lock.lock();
        Ok(Self {
            directory,
            name,
            lock,
        })
    }

    /// Keeps a text, and says where.
    fn keep_text(&self, text: &[u8]) -> io::Result<()> {
        let (copy, mut file) = self.create_copy()?;
        // Its name has to outlive a power failure, too.
        let written = file
            .write_all(text)
            .and_then(|()| file.sync_all())
            .and_then(|()| sync_directory(&self.lock));
        if let Err(error) = written {
            // Half a copy is none.
            let _ = fs::remove_file(&copy);
            return Err(error);
        }
        screen::show_note(&format!("your answer is kept: {}", course_path(&copy)));
        Ok(())
    }

    /// A new file: two copies in one second, or after the clock was set back, have different names.
    fn create_copy(&self) -> io::Result<(PathBuf, File)> {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |time| time.as_secs());
        let mut number = 0;
        loop {
            let name = format!("{seconds}-{number}-{}", self.name);
            let copy = self.directory.join(name);
            match File::create_new(&copy) {
                Ok(file) => return Ok((copy, file)),
                Err(error) if error.kind() == ErrorKind::AlreadyExists => number += 1,
                Err(error) => return Err(error),
            }
        }
    }

    /// Where the next text of the answer waits, and the old one after the swap.
    fn next_file(&self) -> PathBuf {
        self.directory.join(format!("new-{}", self.name))
    }

    /// A run that was killed may have left an answer there.
    fn keep_left_file(&self) -> io::Result<()> {
        match fs::read(self.next_file()) {
            Ok(text) => self.keep_text(&text)?,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(error),
        }
        fs::remove_file(self.next_file())
    }
}

fn write_file(kept: &KeptFiles, path: &Path, text: &[u8]) -> io::Result<()> {
    kept.keep_left_file()?;
    let own = match fs::read(path) {
        Ok(own) => Some(own),
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        // What cannot be read cannot be kept.
        Err(error) => return Err(error),
    };
    if let Some(own) = &own {
        kept.keep_text(own)?;
    }
    let next = kept.next_file();
    let put = write_next(&next, text).and_then(|()| swap_into_place(&next, path));
    if put.is_ok() {
        match fs::read(&next) {
            // An editor has saved it since the copy was made.
            Ok(old) if own.as_ref() != Some(&old) => kept.keep_text(&old)?,
            // It stays, and the next run keeps it.
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    match fs::remove_file(&next) {
        Err(error) if error.kind() != ErrorKind::NotFound => put.and(Err(error)),
        _ => put,
    }
}

/// Some file systems that a VM shares with its host cannot.
fn sync_directory(directory: &File) -> io::Result<()> {
    match directory.sync_all() {
        Err(error) if error.kind() == ErrorKind::InvalidInput => Ok(()),
        synced => synced,
    }
}

fn write_next(next: &Path, text: &[u8]) -> io::Result<()> {
    let mut file = File::create(next)?;
    file.write_all(text)?;
    file.sync_all()
}

/// Afterwards, the old file is where the new one was, if there was one and the file system can
/// swap.
fn swap_into_place(next: &Path, path: &Path) -> io::Result<()> {
    if let Some(directory) = path.parent() {
        fs::create_dir_all(directory)?;
    }
    if renameat2(AT_FDCWD, next, AT_FDCWD, path, RenameFlags::RENAME_EXCHANGE).is_ok() {
        return Ok(());
    }
    match fs::rename(next, path) {
        // Someone keeps the copies on another disk.
        Err(error) if error.kind() == ErrorKind::CrossesDevices => {
            let text = fs::read(next)?;
            fs::write(path, text)?;
            fs::remove_file(next)
        }
        renamed => renamed,
    }
}

/// `ebpf-main.rs` for `ebpf/src/main.rs`: the files of an answer may have the same name.
fn kept_name(directory: &Path, path: &Path) -> String {
    let inside = path.strip_prefix(directory).unwrap_or(path);
    let parts = [inside.iter().next(), inside.file_name()];
    let parts = parts
        .into_iter()
        .flatten()
        .map(|part| part.to_string_lossy());
    parts.collect::<Vec<_>>().join("-")
}

/// What such a file holds; bytes that are no text are replaced.
pub fn read_program(path: &Path) -> Result<String> {
    fs::read(path)
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copies_of_an_answers_files_have_different_names() {
        let directory = Path::new("/course/exercises/own-tool");
        let name = |file: &str| kept_name(directory, &directory.join(file));
        assert_eq!(name("aya/src/main.rs"), "aya-main.rs");
        assert_eq!(name("ebpf/src/main.rs"), "ebpf-main.rs");
        assert_eq!(name("bpf/main.bpf.c"), "bpf-main.bpf.c");
    }

    fn texts_in(directory: &Path) -> Vec<String> {
        let entries = fs::read_dir(directory).unwrap();
        let mut texts: Vec<_> = entries
            .map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap())
            .collect();
        texts.sort();
        texts
    }

    /// Within one second: each has its own name.
    #[test]
    fn runs_at_once_take_no_copy_of_another() {
        let directory = tempfile::tempdir().unwrap();
        let texts: Vec<_> = (0..8).map(|number| number.to_string()).collect();
        std::thread::scope(|scope| {
            for text in &texts {
                scope.spawn(|| {
                    let kept = KeptFiles::open(directory.path().to_owned(), "main.rs".into());
                    kept.unwrap().keep_text(text.as_bytes()).unwrap();
                });
            }
        });
        assert_eq!(texts_in(directory.path()), texts);
    }

    /// It was killed after the swap, and before it looked at what came out.
    #[test]
    fn what_a_killed_run_took_out_is_kept() {
        let directory = tempfile::tempdir().unwrap();
        let copies = directory.path().join("copies");
        let kept = KeptFiles::open(copies.clone(), "main.rs".into()).unwrap();
        let answer = directory.path().join("main.rs");
        fs::write(&answer, "own").unwrap();
        fs::write(kept.next_file(), "saved meanwhile").unwrap();
        write_file(&kept, &answer, b"starter").unwrap();
        assert_eq!(texts_in(&copies), ["own", "saved meanwhile"]);
        assert_eq!(fs::read(&answer).unwrap(), b"starter");
    }

    /// A link to an answer elsewhere is replaced by a file; what it leads to stays.
    #[test]
    fn an_answer_that_is_a_link_is_kept_twice() {
        let directory = tempfile::tempdir().unwrap();
        let copies = directory.path().join("copies");
        let kept = KeptFiles::open(copies.clone(), "main.rs".into()).unwrap();
        let [answer, own] = ["main.rs", "own.rs"].map(|name| directory.path().join(name));
        fs::write(&own, "own").unwrap();
        std::os::unix::fs::symlink("own.rs", &answer).unwrap();
        write_file(&kept, &answer, b"starter").unwrap();
        assert_eq!(texts_in(&copies), ["own"]);
        assert_eq!(fs::read(&own).unwrap(), b"own");
        assert_eq!(fs::read(&answer).unwrap(), b"starter");
    }
}
