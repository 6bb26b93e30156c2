//! Makes sure that the program that runs is the one of the checkout that it works on.

use std::env;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result};
use checkout::environment::BUILT;
use checkout::workspace;
use problem::Problem;

use crate::output::screen;
use crate::pipeline::{build, build_times};

/// Goes on as this checkout's own xtask if another checkout's was started: from a target directory
/// that both share, or by its path.
pub fn ensure_own_build() -> Result<()> {
    if workspace::find_root().is_none() {
        return Err(
            Problem::usage("this directory is not in a checkout of the course")
                .help("cd CHECKOUT    (the directory of the README), then type it again")
                .into(),
        );
    }
    let program = env::current_exe().context("cannot find this program's own path")?;
    if workspace::is_own_build(&program) {
        let target = workspace::target_directory();
        build_times::distrust_future(&target)?;
        return forget_original(
            &target,
            workspace::workspace_root(),
            workspace::compiled_in(),
        );
    }
    let root = workspace::workspace_root().display();
    if env::var_os(BUILT).is_some() {
        return Err(Problem::machine(format!(
            "{root}/target holds the programs of another checkout"
        ))
        .help(format!(
            "rm -r {root}/target    (everything in it is built again)"
        ))
        .into());
    }
    screen::show_progress(&format!(
        "{} belongs to another checkout: starting the one of {root}",
        program.display()
    ));
    let own = build::build_xtask()?;
    let error = Command::new(&own)
        .args(env::args_os().skip(1))
        .env(BUILT, "1")
        .exec();
    Err(error).with_context(|| format!("cannot start {}", own.display()))
}

/// Says in a target directory which checkout it is of. A copy has that of the original.
const MARK: &str = ".checkout";

/// Where everything was copied, cargo knows some files by the path that they have in the original:
/// those outside of their package, such as the entries of the gallery. It would miss changes to the
/// copy's. What it knows of such packages is removed, and they are built again.
fn forget_original(target: &Path, root: &Path, compiled_in: Option<PathBuf>) -> Result<()> {
    let mark = target.join(MARK);
    // Another xtask may be writing it at this moment: half a path is none.
    let marked = fs::read_to_string(&mark).unwrap_or_default();
    let marked = marked.strip_suffix('\n').map(PathBuf::from);
    if marked.as_deref() == Some(root) {
        return Ok(());
    }
    if let Some(original) = marked.or(compiled_in).filter(|original| original != root) {
        let begin = format!("{}/", original.display());
        forget_packages(target, begin.as_bytes())
            .with_context(|| format!("cannot look through {}", target.display()))?;
    }
    fs::create_dir_all(target)
        .and_then(|()| fs::write(&mark, format!("{}\n", root.display())))
        .with_context(|| format!("cannot write {}", mark.display()))
}

/// Removes cargo's fingerprints of packages in which a path begins so.
fn forget_packages(directory: &Path, begin: &[u8]) -> std::io::Result<()> {
    for entry in fs::read_dir(directory)?.flatten() {
        let name = entry.file_name();
        if !entry.file_type()?.is_dir()
            || ["deps", "build", "incremental"]
                .iter()
                .any(|other| name == *other)
        {
            continue;
        }
        if name != ".fingerprint" {
            forget_packages(&entry.path(), begin)?;
            continue;
        }
        for package in fs::read_dir(entry.path())?.flatten() {
            if unless_removed(names_path(&package.path(), begin))? {
                unless_removed(fs::remove_dir_all(package.path()))?;
            }
        }
    }
    Ok(())
}

/// Another xtask may be doing the same: what it has removed needs nothing more.
fn unless_removed<T: Default>(result: std::io::Result<T>) -> std::io::Result<T> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(T::default()),
        result => result,
    }
}

fn names_path(fingerprint: &Path, begin: &[u8]) -> std::io::Result<bool> {
    for file in fs::read_dir(fingerprint)?.flatten() {
        if unless_removed(fs::read(file.path()))?
            .windows(begin.len())
            .any(|window| window == begin)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A link that leads nowhere looks like a file that is removed between the listing and the
    /// reading.
    #[test]
    fn what_another_process_forgets_meanwhile_is_no_error() {
        let target = tempfile::tempdir().unwrap();
        let package = target.path().join("debug/.fingerprint/entries");
        fs::create_dir_all(&package).unwrap();
        symlink("nowhere", package.join("dep-a")).unwrap();
        fs::write(package.join("dep-b"), "/course/original/a.rs").unwrap();
        forget_packages(target.path(), b"/course/original/").unwrap();
        assert!(!package.exists());
    }

    #[test]
    fn what_cargo_knows_of_the_originals_files_is_removed_once() {
        let target = tempfile::tempdir().unwrap();
        let (original, copy) = (Path::new("/course/original"), Path::new("/course/copy"));
        let known = target
            .path()
            .join("ebpf/bpfel-unknown-none/release/.fingerprint");
        let write = |package: &str, text: &str| {
            fs::create_dir_all(known.join(package)).unwrap();
            fs::write(known.join(package).join("dep-bin"), text).unwrap();
        };
        let forget = |compiled_in: &Path| {
            forget_original(target.path(), copy, Some(compiled_in.to_owned())).unwrap();
            ["entries", "aya"].map(|package| known.join(package).exists())
        };
        write("entries", "\u{1}\0/course/original/lessons/07/entries/a.rs");
        write("aya", "src/lib.rs /course/original-of-another/lib.rs");
        assert_eq!(forget(original), [false, true]);
        // It is the copy's now, even if the program was compiled in the original.
        write("entries", "/course/original/lessons/07/entries/a.rs");
        assert_eq!(forget(original), [true, true]);
        // A copy of the copy.
        fs::write(target.path().join(MARK), "/course/original\n").unwrap();
        assert_eq!(forget(copy), [false, true]);
        write("entries", "/course/original/lessons/07/entries/a.rs");
        fs::write(target.path().join(MARK), "").unwrap();
        assert_eq!(forget(copy), [true, true], "another is writing the mark");
    }
}
