//! The exercises, as their directories describe them.
//!
//! ```text
//!   lessons/03-tracepoint/exercises/count-by-comm/
//!     exercise.toml          what it is, where the starter fails, hints
//!     README.md              the task
//!     aya/src/main.rs        the learner's answer in Rust; a crate of the workspace
//!     libbpf/main.bpf.c      the learner's answer in C
//!     starter/  solution/    main.rs and main.bpf.c each
//!   xtask/judge/src/lessons/ what must be true of an answer
//! ```
//!
//! Where the learner writes the user-space program, both answers are in Rust, and the eBPF program
//! has directories of its own. It is given, or the learner writes it, too:
//!
//! ```text
//!   lessons/01-hello-kprobe/exercises/on-and-off/
//!     aya/src/main.rs        the learner's answer with aya; a crate of the workspace
//!     libbpf-rs/src/main.rs     the learner's answer with libbpf-rs; a crate of the workspace
//!     ebpf/src/main.rs       the eBPF program in Rust, which the answer with aya loads
//!     bpf/main.bpf.c         the eBPF program in C, which the answer with libbpf-rs loads
//!     starter/  solution/    aya.rs and libbpf.rs each, and main.rs and main.bpf.c if the learner
//!                            writes the eBPF program
//! ```

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use kernel::{Architecture, SERIES, is_older};
use problem::{Problem, find_similar};
use serde::Deserialize;

use crate::Implementation;
use crate::catalog::{self, Lesson, LessonAbout, StepPlace};

#[derive(Clone, Debug)]
pub struct Exercise {
    /// `03/count-by-comm`
    pub name: String,
    pub directory: PathBuf,
    pub about: ExerciseAbout,
    /// What its lesson says of itself.
    lesson: LessonAbout,
}

/// What `exercise.toml` says.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct ExerciseAbout {
    pub title: String,
    pub kind: ExerciseKind,
    /// Its place in the lesson; they build up on each other.
    pub order: u32,
    #[serde(default, rename = "where")]
    pub place: StepPlace,
    #[serde(default)]
    pub writes: WrittenPart,
    /// The oldest kernel that has what it takes, if that is not its lesson's.
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
pub enum ExerciseKind {
    /// Fill a gap.
    Complete,
    /// Add to what works.
    Extend,
    /// Make the verifier accept it.
    Repair,
    /// It loads, and reports wrong numbers.
    FindTheBug,
    /// Write all of it.
    Create,
}

/// What the learner writes.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum WrittenPart {
    /// One program: for the kernel, or one that runs here.
    #[default]
    OneProgram,
    /// The user-space program of an eBPF program that is given.
    UserProgram,
    /// An eBPF program and its user-space program.
    BothPrograms,
}

/// How the starter fails, which is how the learner finds it.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct Starter {
    /// `builds`, or the name of a check of the judge.
    pub fails_at: String,
    /// A part of that message.
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
    fn read(lesson: &Lesson, directory: PathBuf) -> Result<Self> {
        let path = directory.join("exercise.toml");
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let about: ExerciseAbout =
            toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
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
            directory.file_name().unwrap_or_default().to_string_lossy()
        );
        Ok(Self {
            name,
            directory,
            about,
            lesson: lesson.about.clone(),
        })
    }

    /// `03`
    pub fn lesson_number(&self) -> &str {
        self.name.split_once('/').map_or("", |(lesson, _)| lesson)
    }

    /// `count-by-comm`
    pub fn short_name(&self) -> &str {
        self.name.split_once('/').map_or("", |(_, name)| name)
    }

    /// Whether the answer is a user-space program, which loads an eBPF program.
    pub fn has_user_program(&self) -> bool {
        self.about.writes != WrittenPart::OneProgram
    }

    /// `e03-count-by-comm`: what its programs are called after.
    pub fn base_name(&self) -> String {
        format!("e{}-{}", self.lesson_number(), self.short_name())
    }

    /// The package of the answer, if the answer is in Rust.
    pub fn answer_package(&self, implementation: Implementation) -> String {
        if self.has_user_program() {
            format!("{}-{implementation}", self.base_name())
        } else {
            self.base_name()
        }
    }

    /// The package of the eBPF program in Rust, if the exercise has one.
    pub fn ebpf_package(&self) -> Option<String> {
        match (self.about.place, self.about.writes) {
            (StepPlace::Here, _) => None,
            (StepPlace::Kernel, WrittenPart::OneProgram) => Some(self.base_name()),
            (StepPlace::Kernel, _) => Some(format!("{}-ebpf", self.base_name())),
        }
    }

    pub fn offered_implementations(&self) -> impl Iterator<Item = Implementation> {
        self.about.starter.keys().copied()
    }

    /// The oldest kernel of this architecture that has what it takes: what its lesson needs, and
    /// what it needs itself.
    pub fn oldest_kernel(&self, architecture: Architecture) -> &str {
        let (of_lesson, _) = self.lesson.oldest_kernel_of(architecture);
        let since = self.about.since.as_deref().unwrap_or(of_lesson);
        if is_older(since, of_lesson) {
            of_lesson
        } else {
            since
        }
    }

    /// Whether it can be solved on this kernel, as far as its name tells: a kernel of the learner's
    /// own is taken as new enough.
    pub fn is_for(&self, kernel: &str, architecture: Architecture) -> bool {
        let is_too_old = is_older(kernel, self.oldest_kernel(architecture));
        !(SERIES.contains(&kernel) && is_too_old)
    }

    /// The files that the learner writes, or what they begin as, or should become: the user-space
    /// program first, where there is one.
    pub fn source_paths(&self, variant: Variant, implementation: Implementation) -> Vec<PathBuf> {
        let mut paths = Vec::new();
        if self.has_user_program() {
            paths.push(self.user_program_path(variant, implementation));
        }
        if self.about.writes != WrittenPart::UserProgram {
            paths.push(self.program_path(variant, implementation));
        }
        paths
    }

    /// The user-space program, where there is one.
    pub fn user_program_path(&self, variant: Variant, implementation: Implementation) -> PathBuf {
        let file = match variant {
            Variant::Answer => match implementation {
                Implementation::Aya => "aya/src/main.rs".to_owned(),
                Implementation::Libbpf => "libbpf-rs/src/main.rs".to_owned(),
            },
            Variant::Starter => format!("starter/{implementation}.rs"),
            Variant::Solution => format!("solution/{implementation}.rs"),
        };
        self.directory.join(file)
    }

    /// The eBPF program, or the one that runs here.
    pub fn program_path(&self, variant: Variant, implementation: Implementation) -> PathBuf {
        let file = match (self.about.place, implementation) {
            (_, Implementation::Aya) => "main.rs",
            (StepPlace::Kernel, Implementation::Libbpf) => "main.bpf.c",
            (StepPlace::Here, Implementation::Libbpf) => "main.c",
        };
        let is_given = self.about.writes == WrittenPart::UserProgram;
        let directory = match (variant, implementation) {
            (Variant::Starter, _) if !is_given => "starter",
            (Variant::Solution, _) if !is_given => "solution",
            (_, Implementation::Aya) if self.has_user_program() => "ebpf/src",
            (_, Implementation::Aya) => "aya/src",
            (_, Implementation::Libbpf) if self.has_user_program() => "bpf",
            (_, Implementation::Libbpf) => "libbpf",
        };
        self.directory.join(directory).join(file)
    }

    /// Whether the learner has begun: the answer is not the starter any more.
    pub fn is_begun(&self, implementation: Implementation) -> bool {
        !self.changed_paths(implementation).is_empty()
    }

    /// The files of the answer that are not as in the starter. One that has gone counts.
    pub fn changed_paths(&self, implementation: Implementation) -> Vec<PathBuf> {
        let answers = self.source_paths(Variant::Answer, implementation);
        let starters = self.source_paths(Variant::Starter, implementation);
        let pairs = answers.into_iter().zip(starters);
        pairs
            .filter(|(answer, starter)| fs::read(answer).ok() != fs::read(starter).ok())
            .map(|(answer, _)| answer)
            .collect()
    }

    /// The language that was asked for, or else the one that the learner works in.
    pub fn choose_implementation(&self, asked: Option<Implementation>) -> Result<Implementation> {
        let language = asked.or_else(|| self.begun_in());
        let language = language.filter(|language| self.about.starter.contains_key(language));
        let why = self.about.one_language.as_deref().unwrap_or_default();
        let problem = || Problem::usage(format!("{} has one language only: {why}", self.name));
        Ok(language.ok_or_else(|| problem().help("leave --impl out"))?)
    }

    /// What to type to go on with it.
    pub fn next_command(&self) -> String {
        format!(
            "next: cargo xtask check {}    ({})",
            self.name, self.about.title
        )
    }

    /// The language with an answer, or else the first.
    fn begun_in(&self) -> Option<Implementation> {
        self.offered_implementations()
            .find(|implementation| self.is_begun(*implementation))
            .or(self.offered_implementations().next())
    }
}

/// All exercises, in the order in which they build up.
pub fn read_exercises() -> Result<Vec<Exercise>> {
    let mut exercises = Vec::new();
    for lesson in catalog::read_lessons()? {
        let mut of_lesson = directories(&lesson.directory.join("exercises"))?
            .into_iter()
            .map(|directory| Exercise::read(&lesson, directory))
            .collect::<Result<Vec<_>>>()?;
        of_lesson.sort_by_key(|exercise| exercise.about.order);
        exercises.extend(of_lesson);
    }
    Ok(exercises)
}

/// A lesson may have none.
fn directories(directory: &Path) -> Result<Vec<PathBuf>> {
    if !directory.exists() {
        return Ok(Vec::new());
    }
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let paths = entries
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<Vec<_>>>()?;
    Ok(paths
        .into_iter()
        .filter(|path| path.join("exercise.toml").exists())
        .collect())
}

/// The exercise that `name` means: `03/count-by-comm`, `3/count-by-comm`, or `count-by-comm` if
/// only one is called so.
pub fn find_exercise<'a>(exercises: &'a [Exercise], name: &str) -> Result<&'a Exercise> {
    let is_meant = |exercise: &&Exercise| match name.trim_end_matches('/').split_once('/') {
        Some((lesson, short)) => {
            let number = lesson.split_once('-').map_or(lesson, |(number, _)| number);
            short == exercise.short_name()
                && number.parse() == exercise.lesson_number().parse::<u32>()
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
    let names = |exercise: &Exercise| [exercise.name.clone(), exercise.short_name().to_owned()];
    let known = exercises
        .iter()
        .flat_map(|exercise| names(exercise).map(|known| (known, exercise)));
    let problem = Problem::usage(format!("no exercise is called '{name}'"));
    let problem = match find_similar(name, known) {
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
        let exercises = read_exercises().unwrap();
        for name in [
            "03/count-by-comm",
            "3/count-by-comm",
            "03-tracepoint/count-by-comm",
            "count-by-comm",
        ] {
            assert_eq!(
                find_exercise(&exercises, name).unwrap().name,
                "03/count-by-comm",
                "{name}"
            );
        }
        for name in ["", "/", "03", "04/count-by-comm", "03/"] {
            assert!(find_exercise(&exercises, name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_misspelt_name_gets_a_suggestion() {
        let error = find_exercise(&read_exercises().unwrap(), "03/count-by-com").unwrap_err();
        let problem = error.downcast::<Problem>().unwrap();
        assert_eq!(
            problem.help_lines()[0],
            "a similar one exists: cargo xtask check 03/count-by-comm"
        );
    }

    #[test]
    fn every_exercise_is_complete() {
        for exercise in read_exercises().unwrap() {
            for implementation in exercise.offered_implementations() {
                for variant in [Variant::Answer, Variant::Starter, Variant::Solution] {
                    for source in exercise.source_paths(variant, implementation) {
                        assert!(source.is_file(), "{}", source.display());
                    }
                }
            }
            let text = fs::read_to_string(exercise.directory.join("README.md")).unwrap();
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
