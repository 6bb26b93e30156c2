//! Which kernels a command is for: `6.12`, `6.12..7.1`, `all`, or a file of the user's.

use std::collections::BTreeSet;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use anyhow::Result;
use kernel::{ARM64_MATRIX, Architecture, Kernel, MATRIX, SERIES};
use problem::Problem;
use requirements::Need;
use requirements::kernels::{KERNELS, deviation_from_lock, find_kernel};

use crate::output::screen;

#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Selection {
    /// Series of Debian's, oldest first.
    Series(Vec<&'static str>),
    /// A kernel image of the user's.
    File(PathBuf),
}

/// What `--help` says of `--kernel`.
pub const KERNEL_HELP: &str = "\
A series such as 6.12, several (6.1,7.0 or 6.12..7.1), all: the course's five, every: all eleven, \
or the path of a bzImage, vmlinux or arm64 Image";

impl Selection {
    /// The kernels of the course.
    pub fn all() -> Self {
        Self::Series(MATRIX.to_vec())
    }

    /// Those that the course is tested on for arm64.
    pub fn all_of_arm64() -> Self {
        Self::Series(ARM64_MATRIX.to_vec())
    }

    pub fn one(name: &'static str) -> Self {
        Self::Series(vec![name])
    }

    pub fn is_several(&self) -> bool {
        matches!(self, Self::Series(names) if names.len() > 1)
    }

    pub fn parse(text: &str) -> Result<Self, Problem> {
        let path = PathBuf::from(text);
        if text.contains('/') || path.is_file() {
            return Ok(Self::File(path));
        }
        let mut wanted = BTreeSet::new();
        for part in text.split(',') {
            wanted.extend(parse_part(part.trim())?);
        }
        // One that is named twice is meant once.
        let in_order = SERIES.into_iter().filter(|name| wanted.contains(name));
        Ok(Self::Series(in_order.collect()))
    }

    /// Those of its series for which this holds, if there are any. A file of the user's stays.
    pub fn filter_series(&self, is_kept: impl Fn(&str) -> bool) -> Option<Self> {
        let Self::Series(names) = self else {
            return Some(self.clone());
        };
        let kept: Vec<_> = names.iter().copied().filter(|name| is_kept(name)).collect();
        (!kept.is_empty()).then_some(Self::Series(kept))
    }

    /// [`Self::kernel_needs_on`] this machine's architecture.
    pub fn kernel_needs(&self) -> Vec<Need> {
        self.kernel_needs_on(Architecture::HOST)
    }

    /// What set-up must provide before [`Self::find_kernels_on`].
    pub fn kernel_needs_on(&self, architecture: Architecture) -> Vec<Need> {
        let names = self.names();
        let kernels = KERNELS.iter();
        kernels
            .filter(|kernel| kernel.architecture == architecture && names.contains(&kernel.name))
            .map(|kernel| kernel as Need)
            .collect()
    }

    /// [`Self::find_kernels_on`] this machine's architecture.
    pub fn find_kernels(&self) -> Result<Vec<Kernel>> {
        self.find_kernels_on(Architecture::HOST)
    }

    /// The kernels of this architecture. A file of the user's must be one.
    pub fn find_kernels_on(&self, architecture: Architecture) -> Result<Vec<Kernel>> {
        match self {
            Self::File(path) => {
                let kernel = Kernel::from_file(path)?;
                if kernel.architecture != architecture {
                    return Err(other_architecture(&kernel, path, architecture).into());
                }
                Ok(vec![kernel])
            }
            _ => {
                let names = self.names();
                let kernels = names.iter().map(|name| find_kernel(name, architecture));
                let kernels = kernels.collect();
                let deviations = names.iter();
                let deviations =
                    deviations.filter_map(|name| deviation_from_lock(name, architecture));
                for deviation in deviations {
                    if is_first(&SHOWN, &deviation) {
                        screen::show_note(&deviation);
                    }
                }
                kernels
            }
        }
    }

    /// The architecture of the user's file, if it is one.
    pub fn file_architecture(&self) -> Result<Option<Architecture>> {
        match self {
            Self::File(path) => Ok(Some(Kernel::from_file(path)?.architecture)),
            Self::Series(_) => Ok(None),
        }
    }

    /// Refuses a file that is no kernel, or not one of each of these architectures: before a long
    /// set-up for it.
    pub fn check_file(&self, architectures: &[Architecture]) -> Result<()> {
        if let Self::File(_) = self {
            for &architecture in architectures {
                self.find_kernels_on(architecture)?;
            }
        }
        Ok(())
    }

    /// The series among them.
    fn names(&self) -> &[&'static str] {
        match self {
            Self::Series(names) => names,
            Self::File(_) => &[],
        }
    }
}

fn other_architecture(kernel: &Kernel, path: &Path, wanted: Architecture) -> Problem {
    let (file, is) = (path.display(), kernel.architecture);
    Problem::usage(format!("{file} is a kernel for {is}, and not for {wanted}"))
        .help(format!("--arch {is} --kernel {file}"))
}

/// `6.12`, `all`, `every`, or a range: `6.12..7.1`, `6.12..`, `..7.1`, its ends included.
fn parse_part(text: &str) -> Result<Vec<&'static str>, Problem> {
    if let Some((first, last)) = text.split_once("..") {
        return parse_range(text, first, last);
    }
    match text {
        "all" => Ok(MATRIX.to_vec()),
        "every" => Ok(SERIES.to_vec()),
        name => Ok(vec![SERIES[find_series(name)?]]),
    }
}

fn parse_range(text: &str, first: &str, last: &str) -> Result<Vec<&'static str>, Problem> {
    let begin = match first {
        "" => 0,
        name => find_series(name)?,
    };
    let end = match last {
        "" => SERIES.len() - 1,
        name => find_series(name)?,
    };
    if begin > end {
        return Err(
            Problem::usage(format!("the range {text} is the wrong way round"))
                .help(format!("--kernel {last}..{first}")),
        );
    }
    Ok(SERIES[begin..=end].to_vec())
}

/// Its place among the series.
fn find_series(name: &str) -> Result<usize, Problem> {
    if let Some(place) = SERIES.iter().position(|series| *series == name) {
        return Ok(place);
    }
    Err(Problem::usage(format!("no kernel is called '{name}'"))
        .help(format!("Debian has {}", SERIES.join(", ")))
        .help(
            "--kernel takes one of these, a list (6.1,7.0), a range (6.12..7.1), all, every, or \
             the path of a bzImage, vmlinux or arm64 Image",
        ))
}

/// The deviations that were shown: a command may ask for its kernels several times.
static SHOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

fn is_first(shown: &Mutex<BTreeSet<String>>, note: &str) -> bool {
    let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
    shown.insert(note.to_owned())
}

/// As it is typed after `--kernel`.
impl fmt::Display for Selection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Series(names) if *names == MATRIX => f.write_str("all"),
            Self::Series(names) if *names == SERIES => f.write_str("every"),
            Self::Series(names) => f.write_str(&names.join(",")),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lists_ranges_and_files_are_told_apart() {
        let parse = |text| Selection::parse(text).unwrap();
        assert_eq!(parse("6.12"), Selection::one("6.12"));
        assert_eq!(parse("all"), Selection::all());
        assert_eq!(parse("every"), Selection::Series(SERIES.to_vec()));
        assert_eq!(parse("./vmlinuz"), Selection::File("./vmlinuz".into()));
        assert_eq!(parse("7.0, 6.1,7.0"), Selection::Series(vec!["6.1", "7.0"]));
        let newest = ["7.1", "7.2", "7.3"];
        assert_eq!(parse("7.1.."), Selection::Series(newest.to_vec()));
        assert_eq!(parse("7.1..7.2,7.3"), Selection::Series(newest.to_vec()));
        assert_eq!(parse("..6.1"), Selection::Series(vec!["5.10", "6.1"]));
        assert_eq!(parse("6.1..6.1"), Selection::one("6.1"));
    }

    #[test]
    fn series_are_filtered_and_a_file_is_not() {
        let filter = |text, is_kept: fn(&str) -> bool| {
            let selection = Selection::parse(text).unwrap();
            selection.filter_series(is_kept).map(|it| it.to_string())
        };
        let newest = filter("all", |name| name == "7.3");
        assert_eq!(newest.as_deref(), Some("7.3"));
        assert_eq!(filter("all", |_| false), None);
        assert_eq!(filter("./vmlinuz", |_| false).as_deref(), Some("./vmlinuz"));
    }

    #[test]
    fn it_is_shown_as_it_is_typed() {
        for text in ["6.12", "all", "every", "6.1,7.0", "./vmlinuz"] {
            assert_eq!(Selection::parse(text).unwrap().to_string(), text);
        }
    }

    #[test]
    fn a_range_the_wrong_way_round_is_turned_for_the_user() {
        let problem = Selection::parse("7.1..6.12").unwrap_err();
        assert_eq!(
            problem.to_string(),
            "the range 7.1..6.12 is the wrong way round"
        );
        assert_eq!(problem.help_lines(), ["--kernel 6.12..7.1"]);
    }

    #[test]
    fn a_deviation_is_shown_once() {
        let shown = Mutex::default();
        assert!(is_first(&shown, "kernel 6.12"));
        assert!(is_first(&shown, "kernel 6.18"));
        assert!(!is_first(&shown, "kernel 6.12"));
    }

    #[test]
    fn a_file_must_be_a_kernel_of_the_architecture() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("Image");
        let mut image = vec![0; 0x38];
        image.extend_from_slice(b"ARM\x64 Linux version 6.9.1-test (me@here)");
        std::fs::write(&path, image).unwrap();
        let selection = Selection::File(path);
        let found = selection.find_kernels_on(Architecture::Arm64).unwrap();
        assert_eq!(found[0].release, "6.9.1-test");
        let error = selection.find_kernels_on(Architecture::Amd64).unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("a kernel for arm64, and not for amd64"),
            "{error}"
        );
    }

    #[test]
    fn an_unknown_kernel_names_the_known_ones() {
        let problem = Selection::parse("6.1,6.13").unwrap_err();
        assert_eq!(problem.to_string(), "no kernel is called '6.13'");
        assert!(problem.help_lines()[0].contains("6.12, 6.16"));
        for text in ["", "6.1,", "..6.13", "6.1...7.0"] {
            assert!(Selection::parse(text).is_err(), "{text}");
        }
    }
}
