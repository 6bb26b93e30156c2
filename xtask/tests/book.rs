//! Commands that the book and the other texts tell people to type: all are understood, and those
//! that need no VM work.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeSet;
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

/// With the text that each stands in.
fn commands() -> Vec<(PathBuf, String)> {
    let mut commands = Vec::new();
    for path in texts() {
        let text = fs::read_to_string(&path).unwrap();
        for (at, xtask) in text.match_indices("cargo xtask ") {
            let is_code = text[..at].ends_with('`') || text[..at].ends_with("$ ");
            let command = command(&text[at + xtask.len()..]);
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
    add_markdown(&root.join("book/src"), &mut texts);
    texts
}

fn add_markdown(directory: &Path, texts: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            add_markdown(&path, texts);
        } else if path.extension().is_some_and(|ending| ending == "md") {
            texts.push(path);
        }
    }
}
