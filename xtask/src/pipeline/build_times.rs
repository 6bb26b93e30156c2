//! The times by which cargo knows what to build again: what is older than a source.
//!
//! A source that was changed may have the older time. The clock was set back, or the file was
//! brought back from a copy with the time that it had. Cargo would take what it built from another
//! text for this one's program.

use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::Path;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, Result};

/// Older than every source.
const LONG_AGO: SystemTime = SystemTime::UNIX_EPOCH;

/// A clock that is corrected by less was not set back.
const CORRECTION: Duration = Duration::from_secs(1);

/// Its time says when this tool last ran.
const CLOCK: &str = ".clock";

/// Has cargo build a package again, whose programs are in this directory. What its dependencies
/// became stays.
pub fn distrust_package(programs: &Path, package: &str) -> Result<()> {
    let known = programs.join(".fingerprint");
    for entry in entries_of(&known).with_context(|| format!("cannot list {}", known.display()))? {
        let name = entry.file_name().to_string_lossy().into_owned();
        let hash = name
            .strip_prefix(package)
            .and_then(|rest| rest.strip_prefix('-'));
        if hash.is_some_and(|hash| !hash.contains('-')) {
            let path = entry.path();
            set_times(&path, &|name, _| says_when_built(name).then_some(LONG_AGO))
                .with_context(|| format!("cannot change the times in {}", path.display()))?;
        }
    }
    Ok(())
}

/// After the clock was set back, what was built before is newer than any change to come: it is
/// built again.
pub fn distrust_future(target: &Path) -> Result<()> {
    let clock = target.join(CLOCK);
    let now = SystemTime::now();
    let is_later = |time| time > now + CORRECTION;
    let seen = fs::metadata(&clock).and_then(|about| about.modified());
    if seen.is_ok_and(is_later) {
        let new_time = |name: &str, time| match is_later(time) {
            true if says_when_built(name) => Some(LONG_AGO),
            // All the same, so that nothing seems older than what it is made of.
            true => Some(now),
            false => None,
        };
        set_times(target, &new_time)
            .with_context(|| format!("cannot change the times in {}", target.display()))?;
    }
    // Where nothing can be written, nothing is built.
    let _ = fs::create_dir_all(target)
        .and_then(|()| File::create(&clock))
        .and_then(|file| file.set_modified(now));
    Ok(())
}

/// Cargo compares sources with the time of these: of a program or a library, and of what a build
/// script said.
fn says_when_built(name: &str) -> bool {
    name.starts_with("dep-") || name == "output"
}

type NewTime<'a> = dyn Fn(&str, SystemTime) -> Option<SystemTime> + 'a;

/// Another cargo may be at work: what it removes meanwhile needs no time.
fn set_times(path: &Path, new_time: &NewTime<'_>) -> io::Result<()> {
    for entry in entries_of(path)? {
        let path = entry.path();
        let Some(about) = unless_gone(entry.metadata())? else {
            continue;
        };
        if about.is_dir() {
            set_times(&path, new_time)?;
            continue;
        }
        let name = entry.file_name();
        let time = new_time(&name.to_string_lossy(), about.modified()?);
        if let (true, Some(time)) = (about.is_file(), time) {
            let file = unless_gone(File::open(&path))?;
            file.map_or(Ok(()), |file| file.set_modified(time))?;
        }
    }
    Ok(())
}

fn entries_of(directory: &Path) -> io::Result<Vec<fs::DirEntry>> {
    let entries = unless_gone(fs::read_dir(directory))?;
    entries.into_iter().flatten().collect()
}

fn unless_gone<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        result => result.map(Some),
    }
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    /// A package that prints what its source says.
    struct Package(tempfile::TempDir);

    impl Package {
        fn new() -> Self {
            let package = Self(tempfile::tempdir().unwrap());
            fs::create_dir_all(package.0.path().join("src")).unwrap();
            let manifest = "[package]\nname = 'told'\nedition = '2024'\n[workspace]\n";
            fs::write(package.0.path().join("Cargo.toml"), manifest).unwrap();
            package
        }

        fn write(&self, text: &str, time: SystemTime) {
            let source = self.0.path().join("src/main.rs");
            fs::write(&source, format!("fn main() {{ print!(\"{text}\") }}")).unwrap();
            File::open(source).unwrap().set_modified(time).unwrap();
        }

        fn built_says(&self) -> String {
            let mut cargo = crate::pipeline::build::inner_cargo();
            cargo
                .current_dir(self.0.path())
                .env("CARGO_TARGET_DIR", self.0.path().join("target"))
                .env("CARGO_BUILD_BUILD_DIR", self.0.path().join("target"));
            let built = cargo.args(["build", "--offline"]).output().unwrap();
            assert!(built.status.success(), "{built:?}");
            let program = self.0.path().join("target/debug/told");
            let output = Command::new(program).output().unwrap();
            String::from_utf8(output.stdout).unwrap()
        }
    }

    #[test]
    fn what_was_built_in_the_future_is_built_again_once() {
        let package = Package::new();
        let target = package.0.path().join("target");
        package.write("one", SystemTime::now());
        assert_eq!(package.built_says(), "one");
        distrust_future(&target).unwrap();
        package.write("two", SystemTime::now() - DAY);
        distrust_future(&target).unwrap();
        assert_eq!(package.built_says(), "one", "cargo sees a change");

        // As when all of this happened in a year, and the clock was then set back.
        let next_year = SystemTime::now() + 365 * DAY;
        set_times(&target, &|_, _| Some(next_year)).unwrap();
        distrust_future(&target).unwrap();
        assert_eq!(package.built_says(), "two");
        package.write("three", SystemTime::now() + CORRECTION);
        distrust_future(&target).unwrap();
        assert_eq!(package.built_says(), "three");
        let later = SystemTime::now() + CORRECTION;
        let count_later = |name: &str| {
            let about = fs::metadata(target.join(name)).unwrap();
            about.modified().unwrap() > later
        };
        assert!(!count_later("debug/told") && !count_later(CLOCK));
    }

    #[test]
    fn a_source_with_an_old_time_is_built_when_its_package_is_named() {
        let package = Package::new();
        package.write("one", SystemTime::now());
        assert_eq!(package.built_says(), "one");
        package.write("two", LONG_AGO + DAY);
        let programs = package.0.path().join("target/debug");
        distrust_package(&programs, "to").unwrap();
        assert_eq!(package.built_says(), "one", "another package");
        distrust_package(&programs, "told").unwrap();
        assert_eq!(package.built_says(), "two");
        // Nothing was built yet.
        distrust_package(&package.0.path().join("nowhere"), "told").unwrap();
    }
}
