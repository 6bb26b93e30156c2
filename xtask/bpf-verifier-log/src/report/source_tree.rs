//! Finds the source files that logs name. This file is the only one of the library that reads
//! files.

use alloc::borrow::ToOwned;
use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::OnceCell;
use std::fs::{self, DirEntry};
use std::path::{Path, PathBuf};

use crate::explain::explained_program::ExplainedProgram;
use crate::report::language::guess_language;
use crate::report::report_context::{ReportContext, SourcePlace};

/// The source files in a directory and its subdirectories. The kernel prints only the last part of
/// a file's path; the file that has this name, and the printed text in the printed line, is the one
/// that is meant.
///
/// The tree is read at the first question: files of C and Rust, without hidden directories,
/// `target` and `node_modules`, and of very large trees only a part. No symbolic link is followed.
#[derive(Debug)]
pub struct SourceTree {
    root: PathBuf,
    /// The paths of the files with each name.
    files: OnceCell<BTreeMap<String, Vec<PathBuf>>>,
}

/// More entries than most projects have; they are read in some milliseconds.
const MOST_ENTRIES: usize = 20_000;
/// No source file that anybody writes is larger; in bytes.
const LARGEST_FILE: u64 = 4 * 1024 * 1024;

impl SourceTree {
    /// The files in this directory. Places are told with this path in front, except for `.`.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self {
            root: root.into(),
            files: OnceCell::new(),
        }
    }

    /// The whole path of the place that a log names; `None` if no file or more than one fits.
    pub fn locate_place(&self, place: &SourcePlace) -> Option<SourcePlace> {
        let files = self.files.get_or_init(|| list_files(&self.root));
        let name = Path::new(&place.file).file_name()?.to_str()?;
        let mut found: Option<SourcePlace> = None;
        for path in files.get(name)? {
            if let Some(line) = read_same_line(path, place) {
                if found.is_some() {
                    return None;
                }
                let path = path.strip_prefix(".").unwrap_or(path);
                let file = path.to_str()?.to_owned();
                found = Some(SourcePlace {
                    column: place.column,
                    ..SourcePlace::new(file, place.line, line)
                });
            }
        }
        found
    }
}

impl ReportContext for SourceTree {
    fn find_place(&self, _index: usize, program: &ExplainedProgram) -> Option<SourcePlace> {
        let place = SourcePlace::from_source(program.source.as_ref()?)?;
        Some(self.locate_place(&place).unwrap_or(place))
    }
}

/// The line of the file, if it has the text that the log shows. Nothing else of a file gets into a
/// report.
fn read_same_line(path: &Path, place: &SourcePlace) -> Option<String> {
    let about = fs::symlink_metadata(path).ok()?;
    if !about.is_file() || about.len() > LARGEST_FILE {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let number = usize::try_from(place.line).ok()?.checked_sub(1)?;
    let line = text.lines().nth(number)?;
    let is_same = line.trim() == place.text.trim() && !place.text.trim().is_empty();
    is_same.then(|| line.to_owned())
}

/// The source files in a directory and its subdirectories, by name.
fn list_files(root: &Path) -> BTreeMap<String, Vec<PathBuf>> {
    let mut files: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    let mut directories = Vec::from([root.to_owned()]);
    let mut seen = 0;
    while let Some(directory) = directories.pop() {
        // What cannot be read has no files.
        let Ok(entries) = fs::read_dir(&directory) else {
            continue;
        };
        for entry in entries.flatten() {
            seen += 1;
            if seen > MOST_ENTRIES {
                return files;
            }
            let (Ok(kind), Some(name)) = (entry.file_type(), entry_name(&entry)) else {
                continue;
            };
            if kind.is_dir() && !is_left_out(&name) {
                directories.push(entry.path());
            } else if kind.is_file() && guess_language(&name).is_some() {
                files.entry(name).or_default().push(entry.path());
            }
        }
    }
    files
}

fn entry_name(entry: &DirEntry) -> Option<String> {
    entry.file_name().into_string().ok()
}

/// Directories without anything that is written by hand.
fn is_left_out(name: &str) -> bool {
    name.starts_with('.') || matches!(name, "target" | "node_modules")
}
