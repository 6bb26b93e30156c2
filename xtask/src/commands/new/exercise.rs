//! `new exercise`: the files that every exercise has.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result};
use checkout::workspace;
use course::{catalog, exercises};
use problem::{Exit, Problem};

use crate::output::screen;
use crate::pipeline::answer_build::course_path;

pub fn make_exercise(name: &str) -> Result<Exit> {
    let wrong = |why: &str| {
        Problem::usage(format!("'{name}' cannot be the name of an exercise: {why}")).help(
            "a name has a lesson and a word or a few: cargo xtask new exercise 03/count-by-comm",
        )
    };
    let (number, short) = name
        .split_once('/')
        .ok_or_else(|| wrong("it names no lesson"))?;
    let allowed =
        |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-';
    if short.is_empty() || !short.chars().all(allowed) {
        return Err(wrong("it takes small letters, digits and hyphens").into());
    }
    let lessons = catalog::read_lessons()?;
    let lesson = catalog::find_lesson(&lessons, number)?;
    let directory = lesson.directory.join("exercises").join(short);
    if directory.exists() {
        return Err(wrong("there is one of that name").into());
    }
    let order = exercises::read_exercises()?
        .iter()
        .filter(|other| other.lesson_number() == lesson.number)
        .count()
        + 1;
    let fill = |text: &str| {
        text.replace("NUMBER", &lesson.number)
            .replace("SHORT", short)
            .replace("IDENT", &short.replace('-', "_"))
            .replace("ORDER", &order.to_string())
    };
    for (path, text) in FILES {
        let path = directory.join(path);
        let parent = path.parent().context("a file is in a directory")?;
        fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        fs::write(&path, fill(text)).with_context(|| format!("cannot write {}", path.display()))?;
    }
    // What no exercise changes is taken from the one that is the model of the others.
    let model = workspace::workspace_root().join(MODEL);
    copy(&model.join(FLAGS), &directory.join(FLAGS))?;
    let header = directory.with_file_name("vmlinux.h");
    if !header.exists() {
        copy(&model.with_file_name("vmlinux.h"), &header)?;
    }
    screen::show_marked(
        screen::Mark::Good,
        &format!("made: {}", course_path(&directory)),
    );
    screen::show_note(
        "next: write its judge in xtask/judge/src/lessons, then its solution; \
         CONTRIBUTING.md says how",
    );
    Ok(Exit::Done)
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::copy(from, to)
        .map(drop)
        .with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))
}

const FILES: [(&str, &str); 9] = [
    ("exercise.toml", ABOUT),
    ("README.md", TASK),
    ("aya/Cargo.toml", MANIFEST),
    ("aya/src/main.rs", RUST),
    ("starter/main.rs", RUST),
    ("solution/main.rs", RUST),
    ("libbpf/main.bpf.c", C),
    ("starter/main.bpf.c", C),
    ("solution/main.bpf.c", C),
];

const MODEL: &str = "lessons/03-tracepoint/exercises/count-by-comm";
const FLAGS: &str = "libbpf/compile_flags.txt";

const ABOUT: &str = include_str!("exercise.toml");
const TASK: &str = include_str!("README.md");
const MANIFEST: &str = include_str!("Cargo.toml.in");
const RUST: &str = include_str!("main.rs.in");
const C: &str = include_str!("main.bpf.c");
