//! The exercises, as their folders describe them.
//!
//! ```text
//!   lessons/03-tracepoint/exercises/count-by-comm/
//!     exercise.toml          what it is, where the starter fails, hints
//!     README.md              the task
//!     aya/src/main.rs        the learner's answer in Rust; a crate of the workspace
//!     libbpf/main.bpf.c      the learner's answer in C
//!     starter/  solution/    main.rs and main.bpf.c each
//!   xtask/judge/src/lessons/ what must be true of an answer
//!
//!   build > judging > check, watch
//!   progress: what is done, and how many hints were seen
//! ```

pub mod build;
pub mod judging;
pub mod progress;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use serde::Deserialize;

use crate::catalog::{self, Implementation, Lesson, Place};
use crate::exercises::progress::Progress;
use crate::kernel::MATRIX;
use crate::problem::Problem;

#[derive(Clone, Debug)]
pub struct Exercise {
    /// `03/count-by-comm`
    pub name: String,
    pub folder: PathBuf,
    pub about: About,
}

/// What `exercise.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct About {
    pub title: String,
    pub kind: Kind,
    /// Its place in the lesson; they build up on each other.
    pub order: u32,
    #[serde(default, rename = "where")]
    pub place: Place,
    /// The oldest kernel that has what it takes, if that is not the oldest of all.
    pub since: Option<String>,
    /// Three, from a push to the lines that matter.
    pub hints: [String; 3],
    /// For each language that it can be solved in.
    pub starter: BTreeMap<Implementation, Starter>,
    /// Why there is only one, where there is only one.
    pub one_language: Option<String>,
}

/// What the learner does.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Fill a gap.
    Complete,
    /// Add to what works.
    Extend,
    /// Make the verifier accept it.
    Repair,
    /// It loads, and reports wrong numbers.
    FindTheBug,
}

/// How the starter fails, which is how the learner finds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Starter {
    /// `builds`, or the name of a check of the judge.
    pub fails_at: String,
    /// A part of what is said there.
    pub message: String,
}

/// One of the programs of an exercise.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Variant {
    /// The learner's.
    Answer,
    Starter,
    Solution,
}

impl Exercise {
    fn read(lesson: &Lesson, folder: PathBuf) -> Result<Self> {
        let path = folder.join("exercise.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let about: About = toml::from_str(&text)
            .with_context(|| format!("cannot understand {}", path.display()))?;
        ensure!(
            !about.starter.is_empty(),
            "{}: it can be solved in no language",
            path.display()
        );
        let both = about.starter.len() == Implementation::ALL.len();
        ensure!(
            both == about.one_language.is_none(),
            "{}: one-language says why there is one",
            path.display()
        );
        let name = format!(
            "{}/{}",
            lesson.number,
            folder.file_name().unwrap_or_default().to_string_lossy()
        );
        Ok(Self {
            name,
            folder,
            about,
        })
    }

    /// `03`
    pub fn lesson(&self) -> &str {
        self.name.split_once('/').map_or("", |(lesson, _)| lesson)
    }

    /// `count-by-comm`
    pub fn short_name(&self) -> &str {
        self.name.split_once('/').map_or("", |(_, name)| name)
    }

    /// The package of the answer in Rust.
    pub fn package(&self) -> String {
        format!("e{}-{}", self.lesson(), self.short_name())
    }

    pub fn implementations(&self) -> impl Iterator<Item = Implementation> {
        self.about.starter.keys().copied()
    }

    /// The kernels of the matrix that it can be solved on.
    pub fn kernels(&self) -> impl Iterator<Item = &'static str> {
        let since = self.about.since.as_ref();
        let first = since
            .and_then(|since| MATRIX.iter().position(|kernel| kernel == since))
            .unwrap_or(0);
        MATRIX.into_iter().skip(first)
    }

    /// The one file that holds this program.
    pub fn source(&self, variant: Variant, implementation: Implementation) -> PathBuf {
        let file = match (self.about.place, implementation) {
            (_, Implementation::Aya) => "main.rs",
            (Place::Kernel, Implementation::Libbpf) => "main.bpf.c",
            (Place::Here, Implementation::Libbpf) => "main.c",
        };
        let folder = match (variant, implementation) {
            (Variant::Answer, Implementation::Aya) => "aya/src",
            (Variant::Answer, Implementation::Libbpf) => "libbpf",
            (Variant::Starter, _) => "starter",
            (Variant::Solution, _) => "solution",
        };
        self.folder.join(folder).join(file)
    }

    /// Whether the learner has begun: the answer is not the starter any more. An answer that has
    /// gone counts as begun.
    pub fn is_begun(&self, implementation: Implementation) -> bool {
        let read = |variant| fs::read(self.source(variant, implementation)).ok();
        read(Variant::Answer) != read(Variant::Starter)
    }

    /// The language that was asked for, or else the one that the learner works in.
    pub fn language(&self, asked: Option<Implementation>) -> Result<Implementation> {
        let language = asked.or_else(|| self.begun_in());
        let language = language.filter(|language| self.about.starter.contains_key(language));
        let why = self.about.one_language.as_deref().unwrap_or_default();
        let problem = || Problem::usage(format!("{} has one language only: {why}", self.name));
        Ok(language.ok_or_else(|| problem().help("leave --impl out"))?)
    }

    /// What to type to go on with it.
    pub fn invitation(&self) -> String {
        format!(
            "next: cargo xtask check {}    ({})",
            self.name, self.about.title
        )
    }

    /// The language with an answer, or else the first.
    fn begun_in(&self) -> Option<Implementation> {
        self.implementations()
            .find(|implementation| self.is_begun(*implementation))
            .or(self.implementations().next())
    }
}

/// All exercises, in the order in which they build up.
pub fn exercises() -> Result<Vec<Exercise>> {
    let mut exercises = Vec::new();
    for lesson in catalog::lessons()? {
        let mut of_lesson = folders(&lesson.folder.join("exercises"))?
            .into_iter()
            .map(|folder| Exercise::read(&lesson, folder))
            .collect::<Result<Vec<_>>>()?;
        of_lesson.sort_by_key(|exercise| exercise.about.order);
        exercises.extend(of_lesson);
    }
    Ok(exercises)
}

/// A lesson may have none.
fn folders(folder: &Path) -> Result<Vec<PathBuf>> {
    if !folder.exists() {
        return Ok(Vec::new());
    }
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    Ok(paths
        .into_iter()
        .filter(|path| path.join("exercise.toml").exists())
        .collect())
}

/// What a learner means: the exercise of this name, or the first of a lesson, or of all, that is
/// not done. None, if all of them are.
pub fn choose<'a>(
    exercises: &'a [Exercise],
    name: Option<&str>,
    progress: &Progress,
) -> Result<Option<&'a Exercise>> {
    let Some(name) = name else {
        return Ok(progress.pending(exercises));
    };
    match of_lesson(exercises, name)? {
        Some(exercises) => Ok(progress.pending(exercises)),
        None => find(exercises, name).map(Some),
    }
}

/// The exercises of the lesson that is called so. They come one after the other.
fn of_lesson<'a>(exercises: &'a [Exercise], name: &str) -> Result<Option<&'a [Exercise]>> {
    let lessons = catalog::lessons()?;
    let Some(lesson) = lessons
        .iter()
        .find(|lesson| lesson.is_called(name.trim_end_matches('/')))
    else {
        return Ok(None);
    };
    let mut by_lesson = exercises.chunk_by(|one, other| one.lesson() == other.lesson());
    Ok(by_lesson.find(|exercises| exercises[0].lesson() == lesson.number))
}

/// For people who named a lesson, or none.
pub fn all_are_done(lesson: Option<&str>) -> String {
    let of = lesson.map_or_else(String::new, |name| format!(" of lesson {name}"));
    format!("every exercise{of} is done")
}

/// The exercise that `name` means: `03/count-by-comm`, `3/count-by-comm`, or `count-by-comm` if
/// only one is called so.
pub fn find<'a>(exercises: &'a [Exercise], name: &str) -> Result<&'a Exercise> {
    let is_meant = |exercise: &&Exercise| match name.trim_end_matches('/').split_once('/') {
        Some((lesson, short)) => {
            let number = lesson.split_once('-').map_or(lesson, |(number, _)| number);
            short == exercise.short_name() && number.parse() == exercise.lesson().parse::<u32>()
        }
        None => name == exercise.short_name(),
    };
    let mut found = exercises.iter().filter(is_meant);
    match (found.next(), found.next()) {
        (Some(exercise), None) => Ok(exercise),
        (Some(one), Some(other)) => Err(Problem::usage(format!(
            "more than one exercise is called '{name}'"
        ))
        .help(format!("one of them: {}", one.name))
        .help(format!("another: {}", other.name))
        .into()),
        (None, _) => Err(unknown(exercises, name).into()),
    }
}

fn unknown(exercises: &[Exercise], name: &str) -> Problem {
    let score = |exercise: &Exercise| {
        strsim::jaro_winkler(&exercise.name, name)
            .max(strsim::jaro_winkler(exercise.short_name(), name))
    };
    let nearest = exercises
        .iter()
        .max_by(|one, other| score(one).total_cmp(&score(other)));
    let problem = Problem::usage(format!("no exercise is called '{name}'"));
    let problem = match nearest.filter(|exercise| score(exercise) > 0.8) {
        Some(exercise) => problem.help(format!(
            "a similar one exists: cargo xtask check {}",
            exercise.name
        )),
        None => problem,
    };
    problem.help("all exercises: cargo xtask list")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_a_name_works() {
        let exercises = exercises().unwrap();
        for name in [
            "03/count-by-comm",
            "3/count-by-comm",
            "03-tracepoint/count-by-comm",
            "count-by-comm",
        ] {
            assert_eq!(
                find(&exercises, name).unwrap().name,
                "03/count-by-comm",
                "{name}"
            );
        }
        for name in ["", "/", "03", "04/count-by-comm", "03/"] {
            assert!(find(&exercises, name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_lesson_means_its_first_exercise_that_is_not_done() {
        let exercises = exercises().unwrap();
        let mut progress = Progress::default();
        for name in ["failed-removals", "time-asleep", "removal-errors"] {
            for lesson in ["1", "01", "hello-kprobe", "01-hello-kprobe", "01/"] {
                let chosen = choose(&exercises, Some(lesson), &progress)
                    .unwrap()
                    .unwrap();
                assert_eq!(chosen.name, format!("01/{name}"), "{lesson}");
            }
            progress.set_done(
                find(&exercises, name).unwrap(),
                Implementation::Libbpf,
                true,
            );
        }
        assert!(choose(&exercises, Some("01"), &progress).unwrap().is_none());
        assert_eq!(
            choose(&exercises, Some("02"), &progress)
                .unwrap()
                .unwrap()
                .lesson(),
            "02"
        );
        assert!(choose(&exercises, Some("99"), &progress).is_err());
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let error = find(&exercises().unwrap(), "03/count-by-com").unwrap_err();
        let problem = error.downcast::<Problem>().unwrap();
        assert_eq!(
            problem.help_lines()[0],
            "a similar one exists: cargo xtask check 03/count-by-comm"
        );
    }

    #[test]
    fn every_exercise_is_complete() {
        for exercise in exercises().unwrap() {
            for implementation in exercise.implementations() {
                for variant in [Variant::Answer, Variant::Starter, Variant::Solution] {
                    let source = exercise.source(variant, implementation);
                    assert!(source.is_file(), "{}", source.display());
                }
            }
            let text = fs::read_to_string(exercise.folder.join("README.md")).unwrap();
            assert!(
                text.starts_with(&format!("# {}\n", exercise.about.title)),
                "{}",
                exercise.name
            );
            assert!(
                exercise.about.hints.iter().all(|hint| hint.len() > 20),
                "{}",
                exercise.name
            );
        }
    }
}
