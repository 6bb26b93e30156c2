//! Commands that the book and the other texts tell people to type: all are understood, those that
//! need no VM work, and the tests that they name exist.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use checkout::workspace;
use common::{Run, stderr};
use xtask::cli;

#[test]
fn commands_in_texts_are_understood() {
    let commands = commands();
    assert!(commands.len() > 40, "{} commands", commands.len());
    for (path, command) in &commands {
        let words = command.split_whitespace().map(|word| match word {
            "NN" => "01",
            "COMMAND" => "run",
            word => word,
        });
        // A command's bare name may stand for it in a sentence.
        let help = (!command.contains(' ')).then_some("--help");
        let understood = cli::check_arguments(words.chain(help));
        assert!(
            understood.is_ok(),
            "{}: cargo xtask {command}\n{}",
            path.display(),
            understood.unwrap_err()
        );
    }
}

#[test]
fn commands_that_need_no_vm_work() {
    let all = commands();
    // These only look at the checkout.
    let harmless = |command: &&str| {
        *command == "gallery"
            || command.starts_with("list")
            || command.starts_with("explain --code")
    };
    let commands: BTreeSet<&str> = all
        .iter()
        .map(|(_, command)| command.as_str())
        .filter(harmless)
        .collect();
    assert!(
        commands.contains("list") && commands.contains("gallery"),
        "{commands:?}"
    );
    for command in commands {
        let output = Run::new(&command.split_whitespace().collect::<Vec<_>>()).output();
        assert!(
            output.status.success(),
            "cargo xtask {command}\n{}",
            stderr(&output)
        );
    }
}

#[test]
fn tests_that_are_named_exist() {
    let crates = sources_of_crates();
    let commands = commands_after("cargo test ");
    let mut filters = 0;
    for (path, command) in &commands {
        let place = path.display();
        let named = NamedTests::parse(command);
        let Some(package) = named.package else {
            continue;
        };
        let sources = crates.get(package);
        let sources = sources.unwrap_or_else(|| panic!("{place}: {command}: no such package"));
        for file in &named.files {
            let has_file = |source: &Source| source.is_test_file(file);
            assert!(
                sources.iter().any(has_file),
                "{place}: {command}: no {file}"
            );
        }
        for filter in &named.filters {
            filters += 1;
            let has_test = |source: &Source| source.has_test(filter);
            let exists = sources.iter().any(has_test);
            assert!(exists, "{place}: {command}: no test {filter}");
        }
    }
    assert!(filters > 5, "{filters} names of tests");
}

/// What is named in a `cargo test` command.
#[derive(Default)]
struct NamedTests<'a> {
    package: Option<&'a str>,
    /// After each `--test`.
    files: Vec<&'a str>,
    /// Parts of the names of tests.
    filters: Vec<&'a str>,
}

impl<'a> NamedTests<'a> {
    fn parse(command: &'a str) -> Self {
        let mut named = Self::default();
        let mut words = command.split_whitespace();
        while let Some(word) = words.next() {
            match word {
                "-p" | "--package" => named.package = words.next(),
                "--test" => named.files.extend(words.next()),
                flag if flag.starts_with('-') => {}
                filter => named.filters.push(filter),
            }
        }
        named
    }
}

struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    fn is_test_file(&self, name: &str) -> bool {
        self.path.ends_with(format!("tests/{name}.rs"))
            || self.path.ends_with(format!("tests/{name}/main.rs"))
    }

    /// By a part of its name. The macro `on_each_kernel` makes tests of that name.
    fn has_test(&self, filter: &str) -> bool {
        let has_name = |line: &str| {
            let name = line.trim_start().strip_prefix("fn ");
            name.and_then(|rest| rest.split('(').next())
                .is_some_and(|name| name.contains(filter))
        };
        let by_kernel = filter.starts_with("on_") && self.text.contains("on_each_kernel!");
        self.text.lines().any(has_name) || by_kernel
    }
}

/// The Rust files of each package below `xtask` and `lessons`, by the package's name.
fn sources_of_crates() -> BTreeMap<String, Vec<Source>> {
    let mut files = Vec::new();
    for directory in ["xtask", "lessons"] {
        add_files(
            &workspace::workspace_root().join(directory),
            "toml",
            &mut files,
        );
    }
    files.retain(|path| path.ends_with("Cargo.toml"));
    let mut crates = BTreeMap::new();
    for manifest in files {
        let table: toml::Table = fs::read_to_string(&manifest).unwrap().parse().unwrap();
        let Some(name) = table.get("package").and_then(|it| it["name"].as_str()) else {
            continue;
        };
        let mut paths = Vec::new();
        for part in ["src", "tests"] {
            let directory = manifest.with_file_name(part);
            if directory.is_dir() {
                add_files(&directory, "rs", &mut paths);
            }
        }
        let sources = paths.into_iter().map(|path| Source {
            text: fs::read_to_string(&path).unwrap(),
            path,
        });
        crates.insert(name.to_owned(), sources.collect());
    }
    crates
}

fn commands() -> Vec<(PathBuf, String)> {
    commands_after("cargo xtask ")
}

/// What follows these words of a command, with the text that it stands in.
fn commands_after(start: &str) -> Vec<(PathBuf, String)> {
    let mut commands = Vec::new();
    for path in texts() {
        let text = fs::read_to_string(&path).unwrap();
        for (at, start) in text.match_indices(start) {
            let before = text[..at].rsplit(['`', '$', '\n']).next().unwrap();
            let is_variable = |word: &str| word.contains('=');
            let is_code = text[..at - before.len()].ends_with(['`', '$'])
                && before.split_whitespace().all(is_variable);
            let command = command(&text[at + start.len()..]);
            // What stands for something else is not to be typed.
            if is_code && !["...", "<", "*"].iter().any(|gap| command.contains(gap)) {
                commands.push((path.clone(), command.to_owned()));
            }
        }
    }
    commands
}

/// To the end of the line, of the inline code or of the directive, to a pipe, or to a comment.
fn command(text: &str) -> &str {
    let ends = ["\n", "`", "}}", " |", " #", "  ", " >", " &&"];
    let end = ends.iter().filter_map(|end| text.find(end)).min();
    text[..end.unwrap_or(text.len())].trim()
}

fn texts() -> Vec<PathBuf> {
    let root = workspace::workspace_root();
    let mut texts = vec![root.join("README.md"), root.join("CONTRIBUTING.md")];
    add_files(&root.join("book/src"), "md", &mut texts);
    texts
}

fn add_files(directory: &Path, ending: &str, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_files(&path, ending, files);
        } else if path.extension().is_some_and(|it| it == ending) {
            files.push(path);
        }
    }
}
