//! What a directory of the cache held when it was set up, so that a truncated or changed file is
//! noticed: by size and time at each start, which costs next to nothing, and by checksum when there
//! is doubt.

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use processes::child;

use crate::{fault, site};

const FILE: &str = "record";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum State {
    Whole,
    Absent,
    /// Another size or content than recorded, or other files.
    Changed,
}

struct Line<'a> {
    sum: &'a str,
    size: u64,
    modified: i64,
    path: &'a str,
}

/// Records every file below `directory`.
pub fn write_record(directory: &Path) -> Result<()> {
    let paths = recorded_files(directory)?;
    let sums = sums(directory, &paths)?;
    let mut text = String::new();
    for (path, sum) in paths.iter().zip(sums) {
        let data = fs::metadata(directory.join(path))
            .with_context(|| format!("cannot look at {}", path.display()))?;
        writeln!(
            text,
            "{sum} {} {} {}",
            data.len(),
            data.mtime(),
            path.display()
        )?;
    }
    // Two runs may renew the record of a copied cache at the same time.
    site::replace_file(&directory.join(FILE), text.as_bytes())
}

/// Looks at sizes and times only. A time that differs alone (a copied cache) is settled by the
/// checksums.
pub fn compare_sizes(directory: &Path) -> State {
    let Ok(text) = fs::read_to_string(directory.join(FILE)) else {
        return State::Absent;
    };
    let Some(lines) = read_lines(directory, &text) else {
        return State::Changed;
    };
    let mut doubt = false;
    for line in lines {
        match fs::metadata(directory.join(line.path)) {
            Ok(data) if data.len() != line.size => return State::Changed,
            Ok(data) => doubt |= data.mtime() != line.modified,
            Err(_) => return State::Changed,
        }
    }
    if !doubt {
        return State::Whole;
    }
    let state = compare_checksums(directory);
    if state == State::Whole {
        // Spares the next start the checksums; a cache that cannot be written to still works.
        let _ = write_record(directory);
    }
    state
}

/// Compares the checksum of every file.
pub fn compare_checksums(directory: &Path) -> State {
    let Ok(text) = fs::read_to_string(directory.join(FILE)) else {
        return State::Absent;
    };
    let Some(lines) = read_lines(directory, &text) else {
        return State::Changed;
    };
    let paths: Vec<PathBuf> = lines.iter().map(|line| PathBuf::from(line.path)).collect();
    match sums(directory, &paths) {
        Ok(sums) if sums.iter().zip(&lines).all(|(sum, line)| sum == line.sum) => State::Whole,
        _ => State::Changed,
    }
}

pub fn count_bytes(directory: &Path) -> u64 {
    let text = fs::read_to_string(directory.join(FILE)).unwrap_or_default();
    text.lines().filter_map(parse).map(|line| line.size).sum()
}

/// The lines of a record that names all files of the directory: one that was cut off, even to
/// nothing, names fewer.
fn read_lines<'a>(directory: &Path, text: &'a str) -> Option<Vec<Line<'a>>> {
    let mut lines = text.lines().map(parse).collect::<Option<Vec<_>>>()?;
    lines.sort_by_key(|line| Path::new(line.path));
    let files = recorded_files(directory).ok()?;
    let named = lines.iter().map(|line| Path::new(line.path));
    named.eq(&files).then_some(lines)
}

/// The files that a record names, sorted.
fn recorded_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut paths = Vec::new();
    collect(directory, Path::new(""), &mut paths)?;
    paths.retain(|path| !is_record(path) && !is_removed_elsewhere(path));
    paths.sort();
    Ok(paths)
}

/// The record itself, or what a killed run left of one.
fn is_record(path: &Path) -> bool {
    path.parent() == Some(Path::new("")) && path.to_string_lossy().starts_with(FILE)
}

/// NFS keeps a file under such a name while a process of the machine that removed it has it open.
fn is_removed_elsewhere(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let number = name.strip_prefix(".nfs");
    number.is_some_and(|it| !it.is_empty() && it.bytes().all(|byte| byte.is_ascii_hexdigit()))
}

fn parse(line: &str) -> Option<Line<'_>> {
    let mut words = line.splitn(4, ' ');
    let sum = words.next()?;
    let size = words.next()?.parse().ok()?;
    let modified = words.next()?.parse().ok()?;
    Some(Line {
        sum,
        size,
        modified,
        path: words.next()?,
    })
}

fn collect(root: &Path, below: &Path, paths: &mut Vec<PathBuf>) -> Result<()> {
    let directory = root.join(below);
    for entry in
        fs::read_dir(&directory).with_context(|| format!("cannot list {}", directory.display()))?
    {
        let entry = entry.with_context(|| format!("cannot list {}", directory.display()))?;
        let path = below.join(entry.file_name());
        if entry
            .file_type()
            .with_context(|| format!("cannot look at {}", path.display()))?
            .is_dir()
        {
            collect(root, &path, paths)?;
        } else {
            paths.push(path);
        }
    }
    Ok(())
}

/// The checksum of a file.
pub fn sum_file(file: &Path) -> Result<String> {
    let sums = sums(Path::new("/"), &[file.to_owned()])?;
    sums.into_iter().next().context("sha256sum printed nothing")
}

/// One run of sha256sum for all files: optimised, everywhere, and nothing to compile.
fn sums(directory: &Path, paths: &[PathBuf]) -> Result<Vec<String>> {
    if paths.is_empty() {
        return Ok(Vec::new());
    }
    let mut command = Command::new("sha256sum");
    command
        .arg("--")
        .args(paths)
        .current_dir(directory)
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    child::end_with_us(&mut command);
    let output = command
        .output()
        .map_err(|error| fault::not_started("sha256sum", &error))?;
    ensure!(
        output.status.success(),
        "cannot read all files in {}",
        directory.display()
    );
    let text = String::from_utf8_lossy(&output.stdout);
    let sums: Vec<String> = text
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    ensure!(
        sums.len() == paths.len(),
        "sha256sum printed {} lines for {} files",
        sums.len(),
        paths.len()
    );
    Ok(sums)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directory_with_files() -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path();
        fs::create_dir_all(path.join("below")).unwrap();
        fs::write(path.join("image"), "a kernel").unwrap();
        fs::write(path.join("below/with space"), "a module").unwrap();
        directory
    }

    fn set_time(file: &Path, seconds: u64) {
        let time = std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds);
        fs::File::options()
            .write(true)
            .open(file)
            .unwrap()
            .set_modified(time)
            .unwrap();
    }

    #[test]
    fn what_nfs_has_yet_to_remove_is_no_damage() {
        let directory = directory_with_files();
        let dir = directory.path();
        write_record(dir).unwrap();
        fs::write(dir.join("below/.nfs0000000001ab23cd00000001"), "gone").unwrap();
        let states = || (compare_sizes(dir), compare_checksums(dir));
        assert_eq!(states(), (State::Whole, State::Whole));
        fs::write(dir.join("below/.nfs"), "planted").unwrap();
        assert_eq!(states(), (State::Changed, State::Changed));
    }

    #[test]
    fn whole_until_a_file_changes_in_size_or_content_or_goes() {
        let directory = directory_with_files();
        let dir = directory.path();
        assert_eq!(compare_sizes(dir), State::Absent);
        write_record(dir).unwrap();
        assert_eq!(
            (compare_sizes(dir), compare_checksums(dir)),
            (State::Whole, State::Whole)
        );
        assert_eq!(count_bytes(dir), 16);

        fs::write(dir.join("image"), "a kern").unwrap();
        assert_eq!(compare_sizes(dir), State::Changed, "cut off");

        fs::write(dir.join("image"), "a kErnel").unwrap();
        set_time(&dir.join("image"), 1_000_000);
        assert_eq!(
            compare_sizes(dir),
            State::Changed,
            "same size, other content"
        );

        fs::write(dir.join("image"), "a kernel").unwrap();
        fs::remove_file(dir.join("below/with space")).unwrap();
        assert_eq!(
            (compare_sizes(dir), compare_checksums(dir)),
            (State::Changed, State::Changed),
            "gone"
        );
    }

    #[test]
    fn a_record_that_was_cut_off_proves_nothing() {
        let directory = directory_with_files();
        let dir = directory.path();
        write_record(dir).unwrap();
        let text = fs::read_to_string(dir.join(FILE)).unwrap();
        let first_line = text.find('\n').unwrap() + 1;
        for kept in [0, 10, first_line, text.len() - 2] {
            fs::write(dir.join(FILE), &text[..kept]).unwrap();
            assert_eq!(
                (compare_sizes(dir), compare_checksums(dir)),
                (State::Changed, State::Changed),
                "{kept} bytes"
            );
        }
        // As another version of the tool may write it.
        fs::write(dir.join(FILE), format!("record 2\n{text}")).unwrap();
        assert_eq!(compare_sizes(dir), State::Changed);
    }

    #[test]
    fn records_are_no_part_of_the_record() {
        let directory = directory_with_files();
        let dir = directory.path();
        for name in ["record.partial", "record.4711", "below/record"] {
            fs::write(dir.join(name), "left behind").unwrap();
        }
        write_record(dir).unwrap();
        let text = fs::read_to_string(dir.join(FILE)).unwrap();
        let names: Vec<&str> = text
            .lines()
            .filter_map(|line| line.splitn(4, ' ').nth(3))
            .collect();
        assert_eq!(names, ["below/record", "below/with space", "image"]);
        assert!(!dir.join(format!("record.{}", std::process::id())).exists());
    }

    #[test]
    fn copied_cache_with_new_times_is_whole() {
        let directory = directory_with_files();
        let dir = directory.path();
        write_record(dir).unwrap();
        set_time(&dir.join("image"), 1_000_000);
        assert_eq!(compare_sizes(dir), State::Whole);
        assert!(
            fs::read_to_string(dir.join(FILE))
                .unwrap()
                .contains(" 1000000 image"),
            "the new time is recorded"
        );
    }
}
