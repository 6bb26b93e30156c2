//! What the learner has done: a text file in the checkout, which git ignores.
//!
//! ```text
//! done 03/count-by-comm aya
//! hints 03/count-by-comm 2
//! ```
//!
//! It is written to a file beside it and then renamed, so a crash or a full disk leaves the old
//! one. Lines that are not understood are kept: another version of the course may have written
//! them.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

use anyhow::Result;
use checkout::workspace;
use problem::Problem;

use crate::Implementation;
use crate::exercises::Exercise;

const FILE: &str = ".progress";

/// Another directory for it, such as one that survives a fresh clone.
const DIRECTORY: &str = "XTASK_PROGRESS";

#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Progress {
    /// Exercise and language.
    done: BTreeSet<(String, String)>,
    /// How many hints were seen.
    hints: BTreeMap<String, usize>,
    unknown: Vec<String>,
}

impl Progress {
    pub fn read_progress() -> Result<Self> {
        Self::read_from(&progress_file())
    }

    fn read_from(path: &Path) -> Result<Self> {
        match fs::read(path) {
            Ok(bytes) => Ok(Self::parse(&String::from_utf8_lossy(&bytes))),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self::default()),
            Err(error) => Err(
                Problem::machine(format!("cannot read {}: {error}", path.display()))
                    .help("remove it, and cargo xtask check --all makes it again")
                    .into(),
            ),
        }
    }

    /// Changes it, while no other xtask does.
    pub fn change_progress(how: impl FnOnce(&mut Self)) -> Result<()> {
        Self::change_at(&directory(), how)
    }

    fn change_at(directory: &Path, how: impl FnOnce(&mut Self)) -> Result<()> {
        let path = directory.join(FILE);
        let cannot = |error: std::io::Error| {
            Problem::machine(format!("cannot write {}: {error}", path.display()))
                .help("nothing is lost: cargo xtask check --all makes it again")
        };
        // The directory itself is the lock: a file that is renamed cannot be one.
        let lock = File::open(directory).map_err(cannot)?;
        lock.lock().map_err(cannot)?;
        let mut progress = Self::read_from(&path)?;
        let before = progress.clone();
        how(&mut progress);
        if progress == before {
            return Ok(());
        }
        // Always the same name: what a killed run left there is overwritten.
        let new = directory.join(format!("{FILE}.new"));
        let replaced =
            write_synced(&new, &progress.to_text()).and_then(|()| fs::rename(&new, &path));
        if replaced.is_err() {
            // It may never have been created.
            let _ = fs::remove_file(&new);
        }
        replaced.map_err(cannot)?;
        Ok(())
    }

    fn parse(text: &str) -> Self {
        let mut progress = Self::default();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            match line.split_whitespace().collect::<Vec<_>>()[..] {
                ["done", exercise, language] => {
                    progress
                        .done
                        .insert((exercise.to_owned(), language.to_owned()));
                }
                ["hints", exercise, number] if number.parse::<usize>().is_ok() => {
                    let number = number.parse().unwrap_or_default();
                    progress.hints.insert(exercise.to_owned(), number);
                }
                _ => progress.unknown.push(line.to_owned()),
            }
        }
        progress
    }

    fn to_text(&self) -> String {
        let done = self
            .done
            .iter()
            .map(|(exercise, language)| format!("done {exercise} {language}\n"));
        let hints = self
            .hints
            .iter()
            .map(|(exercise, number)| format!("hints {exercise} {number}\n"));
        let unknown = self.unknown.iter().map(|line| format!("{line}\n"));
        done.chain(hints).chain(unknown).collect()
    }

    pub fn is_done(&self, exercise: &Exercise) -> bool {
        exercise
            .offered_implementations()
            .any(|implementation| self.is_done_in(exercise, implementation))
    }

    pub fn is_done_in(&self, exercise: &Exercise, implementation: Implementation) -> bool {
        self.done
            .contains(&(exercise.name.clone(), implementation.to_string()))
    }

    /// An answer that was right once may have been edited since.
    pub fn set_done(&mut self, exercise: &Exercise, implementation: Implementation, done: bool) {
        let key = (exercise.name.clone(), implementation.to_string());
        if done {
            self.done.insert(key);
        } else {
            self.done.remove(&key);
        }
    }

    pub fn hints_shown(&self, exercise: &Exercise) -> usize {
        self.hints.get(&exercise.name).copied().unwrap_or_default()
    }

    pub fn set_hints(&mut self, exercise: &Exercise, number: usize) {
        self.hints.insert(exercise.name.clone(), number);
    }

    /// How many are done, of how many.
    pub fn count_done(&self, exercises: &[Exercise]) -> (usize, usize) {
        (
            exercises
                .iter()
                .filter(|exercise| self.is_done(exercise))
                .count(),
            exercises.len(),
        )
    }

    /// The first exercise that is not done.
    pub fn next_pending<'a>(&self, exercises: &'a [Exercise]) -> Option<&'a Exercise> {
        exercises.iter().find(|exercise| !self.is_done(exercise))
    }
}

fn write_synced(path: &Path, text: &str) -> std::io::Result<()> {
    let mut file = File::create(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// The file, for those who ask where it is.
pub fn progress_file() -> PathBuf {
    directory().join(FILE)
}

fn directory() -> PathBuf {
    std::env::var_os(DIRECTORY)
        .filter(|it| !it.is_empty())
        .map_or_else(|| workspace::workspace_root().to_owned(), PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        let text = "done 01/a aya\ndone 01/a libbpf\nhints 01/a 2\nfrom the future\n";
        assert_eq!(Progress::parse(text).to_text(), text);
    }

    #[test]
    fn damage_costs_a_line_and_no_more() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join(FILE);
        fs::write(&path, b"done 01/a aya\n\xff\xfe\0\nhints 01/a many\n").unwrap();
        let progress = Progress::read_from(&path).unwrap();
        assert_eq!(
            (
                progress.done.len(),
                progress.hints.len(),
                progress.unknown.len()
            ),
            (1, 0, 2)
        );
    }

    #[test]
    fn changes_of_several_at_once_are_all_kept() {
        let directory = tempfile::tempdir().unwrap();
        let mark = |number: usize| {
            Progress::change_at(directory.path(), |progress| {
                progress.hints.insert(format!("01/{number}"), number);
            })
        };
        std::thread::scope(|scope| {
            (0..8)
                .map(|number| scope.spawn(move || mark(number)))
                .for_each(drop);
        });
        assert_eq!(
            Progress::read_from(&directory.path().join(FILE))
                .unwrap()
                .hints
                .len(),
            8
        );
        assert_eq!(
            fs::read_dir(directory.path()).unwrap().count(),
            1,
            "nothing else is left"
        );
    }
}
