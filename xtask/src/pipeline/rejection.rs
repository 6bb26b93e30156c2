//! The answer that the verifier rejected at the last check, for `explain --last`.
//!
//! The next check removes it, so that an old explanation is never taken for that of a new answer.

use std::fs;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result};
use checkout::workspace;
use course::Implementation;
use kernel::Architecture;
use serde::{Deserialize, Serialize};

#[derive(Debug, Deserialize, PartialEq, Serialize)]
pub struct Rejection {
    /// `03/count-by-comm`
    pub exercise: String,
    pub implementation: Implementation,
    /// Its name, or the path of a kernel's file.
    pub kernel: String,
    /// The kernel's.
    pub architecture: Architecture,
    pub when: SystemTime,
    pub log: String,
}

/// The rejection as this tool reads it.
const FILE: &str = "last-rejection.json";

/// The log alone, for people and for the book's explorer.
const LOG: &str = "last-rejection.log";

/// The object that was rejected: the next build writes over the answer's own.
const OBJECT: &str = "last-rejection.o";

/// `object` is the file that was rejected.
pub fn keep_rejection(rejection: &Rejection, object: &Path) -> Result<()> {
    let object = fs::read(object).with_context(|| format!("cannot read {}", object.display()))?;
    keep_in(&workspace::own_cache(), rejection, &object)
}

/// None, if the last check ended without one.
pub fn last_rejection() -> Result<Option<Rejection>> {
    last_in(&workspace::own_cache())
}

pub fn forget_rejection() -> Result<()> {
    forget_in(&workspace::own_cache())
}

/// Where the log of the last rejection is.
pub fn log_file() -> PathBuf {
    workspace::own_cache().join(LOG)
}

/// Where the object of the last rejection is.
pub fn object_file() -> PathBuf {
    workspace::own_cache().join(OBJECT)
}

fn keep_in(directory: &Path, rejection: &Rejection, object: &[u8]) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    replace(directory, OBJECT, object)?;
    replace(directory, LOG, rejection.log.as_bytes())?;
    replace(
        directory,
        FILE,
        &serde_json::to_vec_pretty(rejection).context("cannot write JSON")?,
    )
}

/// Another check at the same time must not be read in halves.
fn replace(directory: &Path, name: &str, text: &[u8]) -> Result<()> {
    let path = directory.join(name);
    let written = tempfile::NamedTempFile::new_in(directory).and_then(|mut work| {
        work.write_all(text)?;
        Ok(work.persist(&path)?)
    });
    written
        .map(drop)
        .with_context(|| format!("cannot write {}", path.display()))
}

fn last_in(directory: &Path) -> Result<Option<Rejection>> {
    let path = directory.join(FILE);
    match fs::read(&path) {
        // A different version of the course may have written it.
        Ok(text) => Ok(serde_json::from_slice(&text).ok()),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

fn forget_in(directory: &Path) -> Result<()> {
    for path in [FILE, LOG, OBJECT].map(|name| directory.join(name)) {
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("cannot remove {}", path.display()));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_kept_until_it_is_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let rejection = Rejection {
            exercise: "03/count-by-comm".to_owned(),
            implementation: Implementation::Libbpf,
            kernel: "6.12".to_owned(),
            architecture: Architecture::Arm64,
            when: SystemTime::now(),
            log: "R0 invalid mem access 'scalar'\n".to_owned(),
        };
        // Nothing to forget is no error.
        forget_in(directory.path()).unwrap();
        assert_eq!(last_in(directory.path()).unwrap(), None);
        keep_in(directory.path(), &rejection, b"ELF").unwrap();
        assert_eq!(
            fs::read_to_string(directory.path().join(LOG)).unwrap(),
            rejection.log
        );
        assert_eq!(fs::read(directory.path().join(OBJECT)).unwrap(), b"ELF");
        assert_eq!(last_in(directory.path()).unwrap(), Some(rejection));
        forget_in(directory.path()).unwrap();
        assert_eq!(last_in(directory.path()).unwrap(), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }
}
