//! The shape of the lessons: which files one reads, and how long they are.

use std::collections::BTreeMap;

use crate::code::before_tests;
use crate::files::SourceFile;

/// Lines of code that a file of a lesson may have: no blanks, comments, imports or unit tests.
const USER_SPACE_LINES: usize = 120;
const EBPF_LINES: usize = 70;
const GALLERY_BUILD_LINES: usize = 170;
const FILES: usize = 8;
/// The smaller program that a chapter begins with: whole in one file, and no part of the lesson's.
const FIRST_PROGRAM: &str = "first.rs";
const FIRST_PROGRAM_LINES: usize = 60;

const IMPLEMENTATIONS: [&str; 2] = ["aya.rs", "libbpf.rs"];

pub struct LessonFiles {
    /// `01-hello-kprobe`
    pub name: String,
    /// Paths within the lesson, and the texts without unit tests.
    files: BTreeMap<String, String>,
}

pub fn read_lessons(files: &[SourceFile]) -> Vec<LessonFiles> {
    let mut lessons: BTreeMap<&str, BTreeMap<String, String>> = BTreeMap::new();
    for file in files {
        let Some((name, path)) = lesson_path(&file.path) else {
            continue;
        };
        if !file.is_twin() && !file.is_test() {
            let text = if file.is_rust() {
                before_tests(&file.text)
            } else {
                &file.text
            };
            lessons
                .entry(name)
                .or_default()
                .insert(path.to_owned(), text.to_owned());
        }
    }
    let named = |(name, files): (&str, _)| LessonFiles {
        name: name.to_owned(),
        files,
    };
    lessons.into_iter().map(named).collect()
}

/// The name of the lesson and the path within it. `lessons/common` and the like are no lessons.
fn lesson_path(path: &str) -> Option<(&str, &str)> {
    let (name, within) = path.strip_prefix("lessons/")?.split_once('/')?;
    name.starts_with(|first: char| first.is_ascii_digit())
        .then_some((name, within))
}

impl LessonFiles {
    /// What the story is told in: files under `src/`, and what they take from elsewhere by
    /// `#[path]`. Programs of their own in `src/bin/` and in `src/first.rs`, benchmarks and tests
    /// are no part of it.
    fn source_files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().filter_map(|(path, text)| {
            let path = match path.strip_prefix("src/") {
                Some(path) if !path.starts_with("bin/") && path != FIRST_PROGRAM => path,
                _ if path.starts_with("common/") => path,
                _ => return None,
            };
            Some((path, &**text))
        })
    }

    /// The lines of the shared modules that the lesson names, and how many they are.
    pub fn lines_in_common(&self, common: &BTreeMap<String, usize>) -> (usize, usize) {
        let uses = |path: &str| {
            self.source_files()
                .any(|(_, text)| text.contains(path) || named_in_group(text, path))
        };
        let used = common.iter().filter(|(path, _)| uses(path));
        let lines: Vec<usize> = used.map(|(_, lines)| *lines).collect();
        (lines.iter().sum(), lines.len())
    }

    /// The files that one reads on the way through one implementation.
    pub fn path(&self) -> Vec<&str> {
        self.source_files()
            .map(|(path, _)| path)
            .filter(|path| *path != "libbpf.rs")
            .collect()
    }

    pub fn lines(&self) -> usize {
        self.source_files().map(|(_, text)| code_lines(text)).sum()
    }

    pub fn lines_outside(&self) -> usize {
        let outside = self
            .source_files()
            .filter(|(path, _)| *path != "main.rs" && !IMPLEMENTATIONS.contains(path));
        outside.map(|(_, text)| code_lines(text)).sum()
    }

    /// What is not as it should be, a line each.
    pub fn faults(&self) -> Vec<String> {
        let mut faults = Vec::new();
        for (path, text) in &self.files {
            let lines = code_lines(text);
            let limit = self.limit(path);
            if lines > limit {
                faults.push(format!(
                    "{}/{path} has {lines} lines, {limit} are allowed",
                    self.name
                ));
            }
        }
        let path = self.path();
        if path.len() > FILES {
            faults.push(format!(
                "{} has {} files on its path: {path:?}",
                self.name,
                path.len()
            ));
        }
        if self.lines_outside() * 2 > self.lines() {
            let (outside, all) = (self.lines_outside(), self.lines());
            faults.push(format!(
                "{}: {outside} of {all} lines are outside main.rs, aya.rs and libbpf.rs",
                self.name
            ));
        }
        faults.extend(self.unequal_sides());
        faults
    }

    fn limit(&self, path: &str) -> usize {
        match path {
            // It builds the whole gallery.
            "build.rs" if self.name.starts_with("07") => GALLERY_BUILD_LINES,
            "build.rs" => 3,
            _ if path.strip_prefix("src/") == Some(FIRST_PROGRAM) => FIRST_PROGRAM_LINES,
            // The kernel's structs, as many as the lesson reads.
            _ if path.ends_with("vmlinux.h") => usize::MAX,
            _ if path.starts_with("ebpf/") || path.starts_with("bpf/") => EBPF_LINES,
            _ => USER_SPACE_LINES,
        }
    }

    /// aya.rs and libbpf.rs have the same public functions in the same order.
    fn unequal_sides(&self) -> Option<String> {
        let [aya, libbpf] = IMPLEMENTATIONS.map(|file| self.files.get(&format!("src/{file}")));
        let (aya, libbpf) = (public_functions(aya?), public_functions(libbpf?));
        (aya != libbpf).then(|| {
            format!(
                "{}: aya.rs has {aya:?}, libbpf.rs has {libbpf:?}",
                self.name
            )
        })
    }
}

/// Public functions, and the functions of traits that a type implements.
fn public_functions(text: &str) -> Vec<&str> {
    let mut functions = Vec::new();
    let mut in_trait = false;
    for line in text.lines() {
        if !line.starts_with([' ', '}']) {
            in_trait = line.starts_with("impl") && line.contains(" for ");
        }
        let line = line.trim_start();
        let function = match in_trait {
            true => line.strip_prefix("fn "),
            false => line.strip_prefix("pub fn "),
        };
        if let Some(rest) = function {
            functions.push(rest.split(['(', '<']).next().unwrap_or_default());
        }
    }
    functions
}

/// `use common::{machine, text};` names `common::text`.
fn named_in_group(text: &str, path: &str) -> bool {
    let Some((library, module)) = path.split_once("::") else {
        return false;
    };
    let begin = format!("use {library}::{{");
    let mut groups = text.split(&begin).skip(1);
    groups.any(|group| {
        let group = group.split(';').next().unwrap_or_default();
        let mut words = group.split(|character: char| !is_word_character(character));
        words.any(|word| word == module)
    })
}

fn is_word_character(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The lines of each module of `lessons/common` and `lessons/network`, by its path in Rust.
pub fn read_common(files: &[SourceFile]) -> BTreeMap<String, usize> {
    let mut common = BTreeMap::new();
    for file in files {
        let path = file.path.strip_prefix("lessons/").unwrap_or_default();
        let Some((library @ ("common" | "network"), name)) = path.split_once("/src/") else {
            continue;
        };
        if let Some(module) = name.strip_suffix(".rs")
            && module != "lib"
        {
            let lines = code_lines(before_tests(&file.text));
            common.insert(format!("{library}::{module}"), lines);
        }
    }
    common
}

fn code_lines(text: &str) -> usize {
    let mut lines = 0;
    let mut in_import = false;
    for line in text.lines().map(str::trim) {
        let starts_import = line.starts_with("use ") || line.starts_with("#include");
        let is_comment = line.starts_with("//");
        if !line.is_empty() && !is_comment && !starts_import && !in_import {
            lines += 1;
        }
        if starts_import || in_import {
            in_import = !line.ends_with(';') && !line.starts_with("#include");
        }
    }
    lines
}

#[test]
fn only_code_counts() {
    let text = "//! Text.\n\nuse a::{\n    b,\n};\n#include <x.h>\nfn f() {\n    // why\n}\n";
    assert_eq!(code_lines(text), 2);
}

#[test]
fn the_order_of_functions_counts() {
    let file = |path: &str, text: &str| SourceFile {
        path: format!("lessons/42-answer/src/{path}"),
        text: text.to_owned(),
    };
    let same = "pub fn load() {}\nfn own() {}\npub fn attach<'a>() {}\n";
    let swapped = "pub fn attach() {}\npub fn load() {}\n";
    let lesson = |libbpf| {
        let files = [file("aya.rs", same), file("libbpf.rs", libbpf)];
        read_lessons(&files).remove(0)
    };
    assert_eq!(lesson(same).faults(), [""; 0]);
    assert_eq!(lesson(swapped).faults().len(), 1);
}
