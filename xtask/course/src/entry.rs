//! The gallery's entries: a directory each in lesson 07, with two programs in each language and
//! `entry.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use kernel::{Architecture, MATRIX, is_older};
use problem::{Problem, find_similar};
use serde::Deserialize;

use crate::catalog::{self, Lesson};

/// The lesson that holds them.
const LESSON: &str = "verifier-pitfalls";

#[derive(Debug)]
pub struct Entry {
    pub name: String,
    pub directory: PathBuf,
    pub about: EntryAbout,
}

/// What `entry.toml` says.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
pub struct EntryAbout {
    pub title: String,
    /// Its place among the errors that people were seen to meet; the rest comes after those.
    pub rank: Option<u32>,
    /// The class of error, where its name is not the entry's own.
    pub class: Option<String>,
    /// Kernels that take it for an error of another class.
    #[serde(default)]
    pub class_on: BTreeMap<String, String>,
    /// What the verifier knew.
    pub knew: String,
    /// What it could not prove.
    pub missing: String,
    pub rule: String,
    /// How to fix it in C.
    pub c: String,
    /// How to fix it in Rust.
    pub rust: String,
    pub note: Option<String>,
    /// Why there is no program in C.
    pub no_c: Option<String>,
    /// Why there is no program in Rust.
    pub no_rust: Option<String>,
    /// Loaded with fewer rights than root has: root would be let through.
    #[serde(default)]
    pub without_perfmon: bool,
    /// The failing program comes no further than this, and never to a kernel.
    #[serde(default)]
    pub fails_at: FailureStage,
    /// The oldest kernel that has what the twin uses, if that is not the oldest of all.
    pub since: Option<Since>,
    /// Kernels that accept the failing program, and why.
    #[serde(default)]
    pub accepted: BTreeMap<String, String>,
    /// The same, for the program in C only.
    #[serde(default)]
    pub accepted_c: BTreeMap<String, String>,
    /// The same, for the program in Rust only.
    #[serde(default)]
    pub accepted_rust: BTreeMap<String, String>,
    /// Where arm64 differs from that.
    #[serde(default)]
    pub arm64: Deviations,
}

/// Where one architecture differs from the other.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deviations {
    /// Kernels that reject the twin, and why.
    pub rejected: BTreeMap<String, String>,
}

#[derive(Debug, Deserialize)]
pub struct Since {
    pub kernel: String,
    pub why: String,
}

/// Where the failing program fails.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "kebab-case")]
pub enum FailureStage {
    /// The compiler or the linker refuses it.
    Build,
    /// The loader, or the kernel when it is given the object's types, refuses it.
    Open,
    #[default]
    Verifier,
}

#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Language {
    C,
    Rust,
}

impl Language {
    pub const ALL: [Self; 2] = [Self::C, Self::Rust];

    /// As in the names of object files.
    pub fn name(self) -> &'static str {
        match self {
            Self::C => "c",
            Self::Rust => "rust",
        }
    }

    /// As in the names of sources.
    pub fn file_extension(self) -> &'static str {
        match self {
            Self::C => "bpf.c",
            Self::Rust => "rs",
        }
    }
}

/// The program that fails, or its twin.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Twin {
    Failing,
    Fixed,
}

impl Twin {
    pub const ALL: [Self; 2] = [Self::Failing, Self::Fixed];

    /// As in the names of files.
    pub fn name(self) -> &'static str {
        match self {
            Self::Failing => "fail",
            Self::Fixed => "fixed",
        }
    }
}

impl Entry {
    /// What the error is called on this kernel.
    pub fn class_on(&self, kernel: &str) -> &str {
        self.about
            .class_on
            .get(kernel)
            .or(self.about.class.as_ref())
            .unwrap_or(&self.name)
    }

    pub fn source_path(&self, twin: Twin, language: Language) -> PathBuf {
        self.directory
            .join(format!("{}.{}", twin.name(), language.file_extension()))
    }

    /// Why there is no program in that language.
    pub fn none_in(&self, language: Language) -> Option<&str> {
        match language {
            Language::C => self.about.no_c.as_deref(),
            Language::Rust => self.about.no_rust.as_deref(),
        }
    }

    /// What the lesson's build script writes for it, and how the gallery names that: object files,
    /// and what was said of a failing program that does not build.
    pub fn list_built_files(&self) -> Vec<(String, String)> {
        let mut files = Vec::new();
        for language in Language::ALL {
            if self.none_in(language).is_some() {
                continue;
            }
            for twin in Twin::ALL {
                if twin == Twin::Failing && self.about.fails_at == FailureStage::Build {
                    let messages = self.messages_name(language);
                    files.push((messages.clone(), messages));
                } else {
                    let name = format!("{}-{}", self.name, twin.name());
                    // For cargo those in Rust are programs, whose files have no extension.
                    let built = match language {
                        Language::C => format!("{name}.bpf.o"),
                        Language::Rust => name,
                    };
                    files.push((built, self.object_name(twin, language)));
                }
            }
        }
        files
    }

    /// As [`build_objects`](xtask::commands::gallery) names it.
    pub fn object_name(&self, twin: Twin, language: Language) -> String {
        format!("{}-{}.{}.o", self.name, twin.name(), language.name())
    }

    /// As [`build_objects`](xtask::commands::gallery) names what was said of a failing program that
    /// does not build.
    pub fn messages_name(&self, language: Language) -> String {
        format!(
            "{}-{}.{}.txt",
            self.name,
            Twin::Failing.name(),
            language.name()
        )
    }

    /// Since when there is what the entry is about, if this kernel is older.
    pub fn missing_feature(&self, kernel: &str) -> Option<&Since> {
        self.about
            .since
            .as_ref()
            .filter(|since| is_older(kernel, &since.kernel))
    }

    /// Why kernels of this architecture, and not those of the other, reject the twin.
    pub fn why_rejected(&self, kernel: &str, architecture: Architecture) -> Option<&str> {
        let why = match architecture {
            Architecture::Amd64 => None,
            Architecture::Arm64 => self.about.arm64.rejected.get(kernel),
        };
        why.map(String::as_str)
    }

    /// Whether this kernel should accept the program, and why where that is not plain.
    pub fn should_load(
        &self,
        twin: Twin,
        language: Language,
        kernel: &str,
        architecture: Architecture,
    ) -> (bool, Option<&str>) {
        match twin {
            Twin::Fixed => {
                let since = self.missing_feature(kernel).map(|since| since.why.as_str());
                let why = since.or_else(|| self.why_rejected(kernel, architecture));
                (why.is_none(), why)
            }
            Twin::Failing => {
                let own = match language {
                    Language::C => &self.about.accepted_c,
                    Language::Rust => &self.about.accepted_rust,
                };
                let why = own.get(kernel).or_else(|| self.about.accepted.get(kernel));
                (why.is_some(), why.map(String::as_str))
            }
        }
    }
}

/// All entries: those with a rank in its order, then the others by name.
pub fn read_entries() -> Result<Vec<Entry>> {
    let lesson = find_gallery_lesson()?;
    let directory = lesson.directory.join("entries");
    let found =
        fs::read_dir(&directory).with_context(|| format!("cannot read {}", directory.display()))?;
    let mut entries = found
        .map(|found| read(found?.path()))
        .collect::<Result<Vec<_>>>()?;
    entries.sort_by_key(|entry| (entry.about.rank.unwrap_or(u32::MAX), entry.name.clone()));
    Ok(entries)
}

pub fn find_gallery_lesson() -> Result<Lesson> {
    let mut lessons = catalog::read_lessons()?;
    let number = lessons.iter().position(|lesson| lesson.name == LESSON);
    Ok(lessons.swap_remove(number.with_context(|| format!("the lesson {LESSON} is missing"))?))
}

pub fn find_entry<'a>(entries: &'a [Entry], name: &str) -> Result<&'a Entry, Problem> {
    if let Some(entry) = entries.iter().find(|entry| entry.name == name) {
        return Ok(entry);
    }
    let mut problem = Problem::usage(format!("no entry of the gallery is called '{name}'"));
    let names = entries.iter().map(|entry| (&entry.name, &entry.name));
    if let Some(similar) = find_similar(name, names) {
        problem = problem.help(format!(
            "a similar entry exists: cargo xtask gallery {similar}"
        ));
    }
    Err(problem.help("all entries: cargo xtask gallery"))
}

fn read(directory: PathBuf) -> Result<Entry> {
    let name = directory
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let path = directory.join("entry.toml");
    let text =
        fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let about: EntryAbout =
        toml::from_str(&text).with_context(|| format!("cannot parse {}", path.display()))?;
    let entry = Entry {
        name,
        directory,
        about,
    };
    check(&entry).with_context(|| format!("{} is wrong", path.display()))?;
    Ok(entry)
}

/// Each program is there, or the entry says why not; and only kernels of the matrix are named.
fn check(entry: &Entry) -> Result<()> {
    for language in Language::ALL {
        for twin in Twin::ALL {
            let (there, reason) = (
                entry.source_path(twin, language).exists(),
                entry.none_in(language),
            );
            let name = format!("{}.{}", twin.name(), language.file_extension());
            ensure!(
                there || reason.is_some(),
                "{name} is missing, and no-{} does not say why",
                language.name()
            );
            ensure!(
                !there || reason.is_none(),
                "{name} is there, but no-{} says there is none",
                language.name()
            );
        }
    }
    let about = &entry.about;
    let differing = [
        &about.accepted,
        &about.accepted_c,
        &about.accepted_rust,
        &about.arm64.rejected,
    ];
    let named = differing
        .into_iter()
        .flat_map(BTreeMap::keys)
        .chain(about.since.as_ref().map(|since| &since.kernel));
    for kernel in named {
        ensure!(
            MATRIX.contains(&kernel.as_str()),
            "no kernel of the course is called {kernel}"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_entries_are_in_order() {
        let entries = read_entries().unwrap();
        assert!(entries.len() >= 2);
        assert!(entries.is_sorted_by_key(|entry| entry.about.rank.unwrap_or(u32::MAX)));
    }

    #[test]
    fn a_misspelt_name_gets_a_similar_one() {
        let entries = read_entries().unwrap();
        let problem = find_entry(&entries, "map-value-or-nul").unwrap_err();
        assert!(problem.help_lines()[0].ends_with("cargo xtask gallery map-value-or-null"));
    }
}
