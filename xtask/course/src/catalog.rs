//! The lessons, as their `Cargo.toml` files describe them.
//!
//! ```text
//!   Lesson > Implementation      aya, libbpf
//!          > Demo                what `run` starts, one or more steps
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::workspace;
use kernel::{Architecture, SERIES, is_older};
use problem::{Problem, find_similar};
use serde::{Deserialize, Serialize};

/// A lesson: a crate that teaches one idea, implemented twice.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// `01`
    pub number: String,
    /// `hello-kprobe`: the package, and the program.
    pub name: String,
    pub directory: PathBuf,
    pub about: LessonAbout,
}

/// `[package.metadata.lesson]`
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct LessonAbout {
    pub title: String,
    pub hooks: Vec<String>,
    pub maps: Vec<String>,
    pub oldest_kernel: String,
    /// Why that one.
    pub why: String,
    /// Where arm64 had to wait for longer.
    #[serde(default)]
    pub arm64: Option<OldestKernel>,
    /// Time limit of each step of the demo.
    pub seconds: u64,
    pub demo: Vec<Demo>,
    /// Arguments by which the program measures itself, for `bench`: then it takes `--json` too, and
    /// prints an object a case, with `ns_per_run` and whatever names the case.
    #[serde(default)]
    pub bench: Vec<String>,
    /// Patterns in the output that differ from run to run, and what replaces them in a
    /// transcript.
    #[serde(default)]
    pub volatile: Vec<(String, String)>,
    /// Kernels whose transcript differs, and why: "5.10", and "arm64" or "5.10 arm64".
    #[serde(default)]
    pub differs: BTreeMap<String, String>,
}

/// The oldest kernel that a lesson runs on, on one architecture, and why that one.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct OldestKernel {
    pub oldest_kernel: String,
    pub why: String,
}

impl LessonAbout {
    /// The oldest kernel of this architecture, and why that one.
    pub fn oldest_kernel_of(&self, architecture: Architecture) -> (&str, &str) {
        match (&self.arm64, architecture) {
            (Some(arm64), Architecture::Arm64) => (&arm64.oldest_kernel, &arm64.why),
            _ => (&self.oldest_kernel, &self.why),
        }
    }

    /// Why this kernel is too old for the lesson, in a sentence; `None`: it is not, as far as its
    /// name tells.
    pub fn why_too_old(&self, kernel: &str, architecture: Architecture) -> Option<String> {
        let (oldest, why) = self.oldest_kernel_of(architecture);
        let is_too_old = SERIES.contains(&kernel) && is_older(kernel, oldest);
        is_too_old.then(|| format!("it needs Linux {oldest} or newer on {architecture}: {why}"))
    }
}

/// One step of a lesson's demo.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Demo {
    pub args: Vec<String>,
    #[serde(default, rename = "where")]
    pub place: StepPlace,
    /// It knows `--follow`: go on after the demo.
    #[serde(default)]
    pub follow: bool,
}

/// Where a step runs.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum StepPlace {
    /// On this machine, as any user.
    Here,
    /// On the kernel that was asked for.
    #[default]
    Kernel,
}

#[derive(Deserialize)]
struct Manifest {
    package: Package,
}

#[derive(Deserialize)]
struct Package {
    name: String,
    metadata: Metadata,
}

#[derive(Deserialize)]
struct Metadata {
    lesson: LessonAbout,
}

impl Lesson {
    /// `01-hello-kprobe`
    pub fn full_name(&self) -> String {
        format!("{}-{}", self.number, self.name)
    }

    pub fn is_called(&self, name: &str) -> bool {
        name == self.number
            || name == self.name
            || name == self.full_name()
            || name.parse() == self.number.parse::<u32>()
    }

    fn read(directory: PathBuf) -> Result<Self> {
        let path = directory.join("Cargo.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: Manifest =
            toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
        let directory_name = directory.file_name().unwrap_or_default().to_string_lossy();
        let (number, name) = directory_name.split_once('-').unwrap_or_default();
        anyhow::ensure!(
            name == manifest.package.name,
            "{}: the package is called '{}', the directory wants '{name}'",
            path.display(),
            manifest.package.name
        );
        Ok(Self {
            number: number.to_owned(),
            name: name.to_owned(),
            about: manifest.package.metadata.lesson,
            directory,
        })
    }
}

/// All lessons, in their order.
pub fn read_lessons() -> Result<Vec<Lesson>> {
    read_lessons_in(&workspace::workspace_root().join("lessons"))
}

fn read_lessons_in(directory: &Path) -> Result<Vec<Lesson>> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut directories = Vec::new();
    for entry in entries {
        let path = entry
            .with_context(|| format!("cannot read {}", directory.display()))?
            .path();
        // What has no number is a crate that lessons share.
        let numbered = path
            .file_name()
            .is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit());
        if numbered && path.join("Cargo.toml").exists() {
            directories.push(path);
        }
    }
    directories.sort();
    directories.into_iter().map(Lesson::read).collect()
}

/// The lesson that `name` means, in any of its forms: `1`, `01`, `hello-kprobe`, `01-hello-kprobe`.
pub fn find_lesson<'a>(lessons: &'a [Lesson], name: &str) -> Result<&'a Lesson> {
    let found = lessons.iter().find(|lesson| lesson.is_called(name));
    Ok(found.ok_or_else(|| unknown(lessons, name))?)
}

fn unknown(lessons: &[Lesson], name: &str) -> Problem {
    let problem = Problem::usage(format!("no lesson is called '{name}'"));
    let problem = match most_similar(lessons, name) {
        Some(similar) => problem.help(format!(
            "a similar lesson exists: cargo xtask run {similar}"
        )),
        None => problem,
    };
    problem.help("all lessons: cargo xtask list")
}

fn most_similar(lessons: &[Lesson], name: &str) -> Option<String> {
    let names = |lesson: &Lesson| [lesson.full_name(), lesson.name.clone()];
    let known = lessons
        .iter()
        .flat_map(|lesson| names(lesson).map(|known| (known, lesson)));
    find_similar(name, known).map(Lesson::full_name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_works() {
        let lessons = read_lessons().unwrap();
        for name in ["1", "01", "001", "hello-kprobe", "01-hello-kprobe"] {
            assert_eq!(
                find_lesson(&lessons, name).unwrap().name,
                "hello-kprobe",
                "{name}"
            );
        }
    }

    /// Lessons of a course that has one crate, in this directory.
    fn lessons_of_one(directory: &str) -> Result<Vec<Lesson>> {
        let course = tempfile::tempdir().unwrap();
        fs::create_dir(course.path().join(directory)).unwrap();
        let manifest = "[package]\nname = 'new'\n[package.metadata]\n";
        fs::write(course.path().join(directory).join("Cargo.toml"), manifest).unwrap();
        read_lessons_in(course.path())
    }

    #[test]
    fn a_crate_without_a_number_is_no_lesson() {
        assert!(lessons_of_one("new").unwrap().is_empty());
        assert!(
            workspace::workspace_root()
                .join("lessons/common/Cargo.toml")
                .exists()
        );
        assert!(find_lesson(&read_lessons().unwrap(), "common").is_err());
    }

    #[test]
    fn a_lesson_cannot_forget_to_describe_itself() {
        let error = lessons_of_one("07-new").unwrap_err();
        assert!(
            format!("{error:#}").contains("missing field `lesson`"),
            "{error:#}"
        );
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let lessons = read_lessons().unwrap();
        let help = |name: &str| {
            let error = find_lesson(&lessons, name).unwrap_err();
            error.downcast::<Problem>().unwrap().help_lines().join("; ")
        };
        assert!(help("01-hello-kprob").contains("cargo xtask run 01-hello-kprobe"));
        assert!(help("helo-kprobe").contains("cargo xtask run 01-hello-kprobe"));
        assert!(!help("zzz").contains("similar"));
        assert!(find_lesson(&lessons, "").is_err());
        assert!(find_lesson(&lessons, "-1").is_err());
    }
}
