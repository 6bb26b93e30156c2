//! The source files that git knows of, or would know of.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::workspace::workspace_root;

pub struct SourceFile {
    /// From the root of the repository, with `/`.
    pub path: String,
    pub text: String,
}

impl SourceFile {
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Exercises, entries of the gallery, the templates of projects, and the old forms of the page
    /// "What changed" are twins of each other on purpose.
    pub fn is_twin(&self) -> bool {
        let twins = ["/exercises/", "/entries/", "/templates/", "/changes/old/"];
        twins.iter().any(|directory| self.path.contains(directory))
    }

    pub fn is_test(&self) -> bool {
        self.path.contains("/tests/")
    }
}

/// The checkout that is measured: this one, or the one that `HOUSE` names.
pub fn house() -> PathBuf {
    match env::var_os("HOUSE") {
        Some(house) => house.into(),
        None => workspace_root().to_owned(),
    }
}

pub fn read_sources(house: &Path) -> Vec<SourceFile> {
    read_files(house, &["*.rs", "*.c", "*.h"])
}

/// The files with these names that git knows, or would know.
pub fn read_files(house: &Path, names: &[&str]) -> Vec<SourceFile> {
    let mut git = Command::new("git");
    git.args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    git.args(["-z", "--"]).args(names).current_dir(house);
    let output = git.output().unwrap();
    assert!(
        output.status.success(),
        "git cannot list the files of {}",
        house.display()
    );
    let paths = String::from_utf8(output.stdout).unwrap();
    let mut files = Vec::new();
    for path in paths.split_terminator('\0') {
        // A file that was removed, but not yet from git's index.
        let Ok(text) = fs::read_to_string(house.join(path)) else {
            continue;
        };
        files.push(SourceFile {
            path: path.to_owned(),
            text,
        });
    }
    assert!(
        files.len() > 100,
        "{} has too few source files",
        house.display()
    );
    files
}
