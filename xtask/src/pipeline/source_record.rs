//! The text from which a program of an exercise was built last.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use testvm::Digest;

pub struct SourceRecord {
    file: PathBuf,
    digest: String,
}

impl SourceRecord {
    /// Of the source as it is now, with the modules beside it.
    pub fn of_source(source: &Path, file: PathBuf) -> Self {
        let mut digest = Digest::default();
        add_sources(&mut digest, source.parent().unwrap_or(source));
        let digest = format!("{:016x}\n", digest.digest_value());
        Self { file, digest }
    }

    /// Whether nothing has changed since the program was built.
    pub fn is_built(&self) -> bool {
        fs::read_to_string(&self.file).is_ok_and(|text| text == self.digest)
    }

    /// The program is that of this text.
    pub fn write(&self) -> Result<()> {
        let directory = self.file.parent().unwrap_or(&self.file);
        fs::create_dir_all(directory)
            .and_then(|()| fs::write(&self.file, &self.digest))
            .with_context(|| format!("cannot write {}", self.file.display()))
    }
}

/// What cannot be read is left out: the compiler says so.
fn add_sources(digest: &mut Digest, directory: &Path) {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            add_sources(digest, &path);
        } else if is_source(&path)
            && let Ok(text) = fs::read(&path)
        {
            digest.add_bytes(path.as_os_str().as_encoded_bytes());
            digest.add_bytes(text);
        }
    }
}

/// An editor has other files there, some with a dot before the name.
fn is_source(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().as_encoded_bytes();
    !name.starts_with(b".") && path.extension() == Some(OsStr::new("rs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_counts_and_an_editors_file_does_not() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| {
            let path = directory.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        };
        let is_built = || {
            let source = directory.path().join("src/main.rs");
            let record = SourceRecord::of_source(&source, directory.path().join("record/main"));
            let was_built = record.is_built();
            record.write().unwrap();
            was_built
        };
        write("src/main.rs", "mod event;");
        write("src/event.rs", "");
        assert!(!is_built());
        assert!(is_built());
        write("src/event.rs", "pub struct Event;");
        assert!(!is_built());
        // Emacs has a link to nowhere, and vim a file.
        write("src/.main.rs.swp", "");
        std::os::unix::fs::symlink("nowhere", directory.path().join("src/.#main.rs")).unwrap();
        assert!(is_built());
        write("src/main.rs", "mod  event;");
        assert!(!is_built());
    }
}
