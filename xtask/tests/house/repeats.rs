//! Places that repeat the lines of another place.

use std::collections::BTreeMap;

use crate::files::SourceFile;

/// So many lines in a row make a place.
const LINES: usize = 6;

/// A line with what it says; a line that is only punctuation, or imports, says nothing.
struct Line<'a> {
    number: usize,
    text: &'a str,
}

/// `FILE:LINE like FILE:LINE` of each run of lines that also is in an earlier place.
pub fn repeated_places(files: &[SourceFile]) -> Vec<String> {
    let mut first_places: BTreeMap<Vec<&str>, (usize, usize)> = BTreeMap::new();
    let files: Vec<_> = files.iter().filter(|file| !is_copied(file)).collect();
    let lines: Vec<Vec<Line>> = files.iter().map(|file| telling_lines(&file.text)).collect();
    let mut places = Vec::new();
    for (file, lines) in lines.iter().enumerate() {
        let mut repeated_up_to = 0;
        for (at, window) in lines.windows(LINES).enumerate() {
            let texts: Vec<&str> = window.iter().map(|line| line.text).collect();
            let Some(&(other_file, other_at)) = first_places.get(&texts) else {
                first_places.insert(texts, (file, at));
                continue;
            };
            if other_file == file && other_at + LINES > at {
                continue;
            }
            if at >= repeated_up_to {
                let other = first_line(&files, other_file, other_at);
                places.push(format!(
                    "{}:{} like {other}",
                    files[file].path, window[0].number
                ));
            }
            repeated_up_to = at + LINES;
        }
    }
    places
}

/// Whose repeats are meant: twins, and the kernel's structs, of which each lesson has those that it
/// reads.
fn is_copied(file: &SourceFile) -> bool {
    file.is_twin() || file.path.ends_with("vmlinux.h")
}

fn first_line(files: &[&SourceFile], file: usize, at: usize) -> String {
    let file = files[file];
    format!("{}:{}", file.path, telling_lines(&file.text)[at].number)
}

fn telling_lines(text: &str) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    let mut in_import = false;
    for (number, line) in text.lines().enumerate() {
        let text = line.trim();
        let imports = ["use ", "pub use ", "mod ", "pub mod ", "#include", "#["];
        if imports.iter().any(|start| text.starts_with(start)) || in_import {
            in_import = (text.starts_with("use ") || in_import) && !text.ends_with(';');
            continue;
        }
        let words = text
            .chars()
            .filter(|character| character.is_alphanumeric())
            .count();
        if words < 3 || text.starts_with("//") {
            continue;
        }
        lines.push(Line {
            number: number + 1,
            text,
        });
    }
    lines
}

#[test]
fn a_run_of_six_lines_is_one_place() {
    let line = |number: usize| format!("let line_{number} = {number};\n");
    let run: String = (0..8).map(line).collect();
    let file = |path: &str, text: String| SourceFile {
        path: path.to_owned(),
        text,
    };
    let files = [
        file("a.rs", run.clone()),
        file("b.rs", format!("fn other() {{\n{run}}}\n")),
        file("c.rs", run.lines().take(5).collect::<Vec<_>>().join("\n")),
    ];
    assert_eq!(repeated_places(&files), ["b.rs:2 like a.rs:1"]);
}
