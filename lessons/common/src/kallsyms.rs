//! The symbols of the running kernel: the names of its functions and variables.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::{Context as _, Result};

use crate::NotReady;
use crate::kprobe::can_probe;

/// One symbol a line: sixteen digits of its address, the letter of its type, its name.
const SYMBOLS: &str = "/proc/kallsyms";

/// How many symbols with a similar name an error shows.
const SIMILAR: usize = 8;

/// The first of these functions that the running kernel has. Functions inside the kernel are no
/// stable interface: they get renamed. `lesson` is what `cargo xtask run` calls it.
pub fn find_function(lesson: &str, candidates: &[&'static str]) -> Result<&'static str> {
    // The kernel would print tens of thousands of symbols before the right one. It looks up a
    // single one at once.
    for candidate in candidates {
        if can_probe(candidate) {
            return Ok(candidate);
        }
    }
    let found = search(open_symbols()?, candidates);
    if let Some(function) = found.with_context(|| format!("cannot read {SYMBOLS}"))? {
        return Ok(function);
    }
    let similar = find_similar(open_symbols()?, candidates);
    let similar = similar.with_context(|| format!("cannot read {SYMBOLS}"))?;
    Err(missing(lesson, candidates, &similar).into())
}

fn open_symbols() -> Result<BufReader<File>> {
    let file = File::open(SYMBOLS).with_context(|| format!("cannot open {SYMBOLS}"))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

fn search(
    mut symbols: impl BufRead,
    candidates: &[&'static str],
) -> io::Result<Option<&'static str>> {
    let mut line = Vec::new();
    while symbols.read_until(b'\n', &mut line)? > 0 {
        for candidate in candidates {
            if symbol_name(&line) == candidate.as_bytes() {
                return Ok(Some(candidate));
            }
        }
        line.clear();
    }
    Ok(None)
}

fn find_similar(mut symbols: impl BufRead, candidates: &[&str]) -> io::Result<Vec<String>> {
    let mut similar = Vec::new();
    let mut line = Vec::new();
    while similar.len() < SIMILAR && symbols.read_until(b'\n', &mut line)? > 0 {
        if is_similar(&line, candidates) {
            similar.push(String::from_utf8_lossy(symbol_name(&line)).into_owned());
        }
        line.clear();
    }
    Ok(similar)
}

/// The symbols of modules have the name of their module after a tab, and so equal no candidate.
fn symbol_name(line: &[u8]) -> &[u8] {
    let name = line.get(19..).unwrap_or_default();
    name.strip_suffix(b"\n").unwrap_or(name)
}

/// A function (type t or T) with the last word of a candidate's name in its name, such as
/// `unlinkat` of `do_unlinkat`; not a part that the compiler cut out of a function, such as
/// `do_unlinkat.cold`.
fn is_similar(line: &[u8], candidates: &[&str]) -> bool {
    let is_function = line
        .get(17)
        .is_some_and(|kind| kind.eq_ignore_ascii_case(&b't'));
    let Ok(name) = std::str::from_utf8(symbol_name(line)) else {
        return false;
    };
    let shares_word = candidates.iter().any(|candidate| {
        let word = candidate.rsplit('_').next().unwrap_or(candidate);
        name.contains(word)
    });
    is_function && shares_word && !name.contains(['.', '\t'])
}

fn missing(lesson: &str, candidates: &[&str], similar: &[String]) -> NotReady {
    let names = candidates.join(" or ");
    let mut problem = NotReady::new(format!(
        "cannot find {names} in {SYMBOLS}: \
        this kernel has no such function"
    ));
    if !similar.is_empty() {
        problem = problem.help(format!(
            "similar functions of this kernel: {}",
            similar.join(", ")
        ));
    }
    if let Some(first) = candidates.first() {
        problem = problem.help(format!(
            "cargo xtask where {first} says on which kernels it is, and what came instead"
        ));
    }
    problem.help(format!(
        "cargo xtask run {lesson} runs the lesson on a kernel that has it"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CANDIDATES: [&str; 2] = ["do_unlinkat", "filename_unlinkat"];

    fn symbols(names: &[&str]) -> String {
        let lines = names
            .iter()
            .map(|name| format!("ffffffff81000000 t {name}\n"));
        lines.collect()
    }

    fn found(text: &str) -> Option<&'static str> {
        search(text.as_bytes(), &CANDIDATES).expect("reading from memory")
    }

    fn similar(text: &str) -> Vec<String> {
        find_similar(text.as_bytes(), &CANDIDATES).expect("reading from memory")
    }

    #[test]
    fn finds_the_name_of_each_kernel() {
        for candidate in CANDIDATES {
            let text = symbols(&["do_rmdir", candidate, "vfs_unlink"]);
            assert_eq!(found(&text), Some(candidate));
        }
    }

    #[test]
    fn takes_no_part_of_a_name() {
        let names = [
            "do_unlinkat.cold",
            "__do_unlinkat",
            "do_unlinkat\t[other]",
            "vfs_link",
        ];
        let text = symbols(&names);
        assert_eq!(found(&text), None);
        assert_eq!(similar(&text), ["__do_unlinkat"]);
        let problem = missing("a-lesson", &CANDIDATES, &similar(&text));
        assert!(
            problem
                .to_string()
                .contains("do_unlinkat or filename_unlinkat")
        );
        let [similar, names, command] = problem.help_lines() else {
            panic!("three lines of help: {:?}", problem.help_lines());
        };
        assert!(similar.contains("__do_unlinkat"));
        assert!(names.starts_with("cargo xtask where do_unlinkat "));
        assert!(
            command.starts_with("cargo xtask run a-lesson "),
            "{command}"
        );
    }

    #[test]
    fn survives_an_empty_or_odd_list() {
        for text in ["", "short\n\n", "no end"] {
            assert_eq!(found(text), None);
            assert!(similar(text).is_empty());
        }
    }
}
