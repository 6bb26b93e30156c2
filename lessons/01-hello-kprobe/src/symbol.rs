//! The kernel function to attach to. Functions inside the kernel are no stable interface: they get
//! renamed.

use std::fs::File;
use std::io::{self, BufRead, BufReader};

use anyhow::{Context as _, Result};
use common::NotReady;

/// Every symbol of the running kernel, one a line: address, type, name.
const SYMBOLS: &str = "/proc/kallsyms";

#[derive(Debug, Eq, PartialEq)]
pub struct Hook {
    pub function: &'static str,
    pub kernels: &'static str,
}

/// The function that removes a file: `(int dirfd, struct filename *name)` under both names.
const HOOKS: [Hook; 2] = [
    Hook {
        function: "do_unlinkat",
        kernels: "its name up to Linux 6.19",
    },
    Hook {
        function: "filename_unlinkat",
        kernels: "its name since Linux 7.0; before, it was do_unlinkat",
    },
];

/// How many symbols with a similar name an error shows.
const SIMILAR: usize = 8;

pub fn find() -> Result<&'static Hook> {
    match search(symbols()?).with_context(|| format!("read {SYMBOLS}"))? {
        Some(hook) => Ok(hook),
        None => {
            Err(missing(&similar(symbols()?).with_context(|| format!("read {SYMBOLS}"))?).into())
        }
    }
}

fn symbols() -> Result<BufReader<File>> {
    let file = File::open(SYMBOLS).with_context(|| format!("open {SYMBOLS}"))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

// ANCHOR: search
fn search(mut symbols: impl BufRead) -> io::Result<Option<&'static Hook>> {
    let mut line = Vec::new();
    while symbols.read_until(b'\n', &mut line)? > 0 {
        // Both names end like this. A hundred thousand lines are read here, so the common case must
        // be cheap.
        if line.ends_with(b"unlinkat\n")
            && let Some(hook) = HOOKS
                .iter()
                .find(|hook| name(&line) == hook.function.as_bytes())
        {
            return Ok(Some(hook));
        }
        line.clear();
    }
    Ok(None)
}
// ANCHOR_END: search

fn similar(mut symbols: impl BufRead) -> io::Result<Vec<String>> {
    let mut similar = Vec::new();
    let mut line = Vec::new();
    while similar.len() < SIMILAR && symbols.read_until(b'\n', &mut line)? > 0 {
        if line
            .get(17)
            .is_some_and(|&kind| is_similar(kind, name(&line)))
        {
            similar.push(String::from_utf8_lossy(name(&line)).into_owned());
        }
        line.clear();
    }
    Ok(similar)
}

/// What follows the sixteen digits of the address and the letter of the type. In a module's line
/// the module's name comes after it; we want the kernel's own functions, and those lines match
/// nothing.
fn name(line: &[u8]) -> &[u8] {
    line.get(19..)
        .map_or(&[], |name| name.strip_suffix(b"\n").unwrap_or(name))
}

/// A function (type t or T) that has to do with removing files, and is no part cut out of another
/// function.
fn is_similar(kind: u8, name: &[u8]) -> bool {
    kind.eq_ignore_ascii_case(&b't')
        && std::str::from_utf8(name)
            .is_ok_and(|name| name.contains("unlink") && !name.contains(['.', '\t']))
}

fn missing(similar: &[String]) -> NotReady {
    let names: Vec<_> = HOOKS.iter().map(|hook| hook.function).collect();
    let mut problem = NotReady::new(format!(
        "find {} in {SYMBOLS}: this kernel has no such function",
        names.join(" or ")
    ));
    if !similar.is_empty() {
        problem = problem.help(format!(
            "this kernel has similar functions: {}",
            similar.join(", ")
        ));
    }
    problem.help("cargo xtask run hello-kprobe runs the lesson on a kernel that has it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(names: &[&str]) -> String {
        names
            .iter()
            .map(|name| format!("ffffffff81000000 t {name}\n"))
            .collect()
    }

    #[test]
    fn finds_the_name_of_each_kernel() {
        for hook in &HOOKS {
            let text = symbols(&["do_rmdir", hook.function, "vfs_unlink"]);
            assert_eq!(
                search(text.as_bytes()).expect("reading from memory"),
                Some(hook)
            );
        }
    }

    #[test]
    fn takes_no_part_of_a_name() {
        let text = symbols(&[
            "do_unlinkat.cold",
            "__do_unlinkat",
            "do_unlinkat\t[other]",
            "vfs_unlink",
        ]);
        assert_eq!(search(text.as_bytes()).expect("reading from memory"), None);
        let names = similar(text.as_bytes()).expect("reading from memory");
        assert_eq!(names, ["__do_unlinkat", "vfs_unlink"]);
        let problem = missing(&names);
        assert!(
            problem
                .to_string()
                .contains("do_unlinkat or filename_unlinkat")
        );
        assert!(problem.help_lines()[0].contains("__do_unlinkat, vfs_unlink"));
    }

    #[test]
    fn survives_an_empty_or_odd_list() {
        for text in [&b""[..], b"short\n\n", b"no end"] {
            assert_eq!(search(text).expect("reading from memory"), None);
            assert!(similar(text).expect("reading from memory").is_empty());
        }
    }
}
