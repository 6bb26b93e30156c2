//! The kernel function to attach to. Functions inside the kernel are no stable interface: they get renamed.

use std::fs::File;
use std::io::{BufRead, BufReader};

use anyhow::{Context as _, Result};

use crate::machine::NotReady;

/// Every symbol of the running kernel, one a line: address, type, name.
const SYMBOLS: &str = "/proc/kallsyms";

#[derive(Debug, Eq, PartialEq)]
pub struct Hook {
    pub function: &'static str,
    pub kernels: &'static str,
}

/// The function that removes a file: `(int dirfd, struct filename *name)` under both names.
const HOOKS: [Hook; 2] = [
    Hook { function: "do_unlinkat", kernels: "its name up to Linux 6.19" },
    Hook { function: "filename_unlinkat", kernels: "its name since Linux 7.0; before, it was do_unlinkat" },
];

/// How many symbols with a similar name an error shows.
const SIMILAR: usize = 8;

pub fn find() -> Result<&'static Hook> {
    let file = File::open(SYMBOLS).with_context(|| format!("open {SYMBOLS}"))?;
    match search(BufReader::with_capacity(1 << 16, file)).with_context(|| format!("read {SYMBOLS}"))? {
        Found::Hook(hook) => Ok(hook),
        Found::Similar(names) => Err(missing(&names).into()),
    }
}

enum Found {
    Hook(&'static Hook),
    Similar(Vec<String>),
}

// ANCHOR: search
fn search(mut symbols: impl BufRead) -> std::io::Result<Found> {
    let mut similar = Vec::new();
    let mut line = Vec::new();
    while symbols.read_until(b'\n', &mut line)? > 0 {
        // The last column, but for modules, whose name follows after a tab; we want the kernel's own functions.
        if let Some(name) = line.strip_suffix(b"\n").and_then(|line| line.get(19..)) {
            if let Some(hook) = HOOKS.iter().find(|hook| hook.function.as_bytes() == name) {
                return Ok(Found::Hook(hook));
            }
            if similar.len() < SIMILAR && is_similar(line[17], name) {
                similar.push(String::from_utf8_lossy(name).into_owned());
            }
        }
        line.clear();
    }
    Ok(Found::Similar(similar))
}
// ANCHOR_END: search

/// A function (type t or T) that has to do with removing files, and is no part cut out of another function.
fn is_similar(kind: u8, name: &[u8]) -> bool {
    kind.eq_ignore_ascii_case(&b't')
        && std::str::from_utf8(name).is_ok_and(|name| name.contains("unlink") && !name.contains(['.', '\t']))
}

fn missing(similar: &[String]) -> NotReady {
    let names: Vec<_> = HOOKS.iter().map(|hook| hook.function).collect();
    let mut problem =
        NotReady::new(format!("find {} in {SYMBOLS}: this kernel has no such function", names.join(" or ")));
    if !similar.is_empty() {
        problem = problem.help(format!("this kernel has similar functions: {}", similar.join(", ")));
    }
    problem.help("cargo xtask run hello-kprobe runs the lesson on a kernel that has it")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn symbols(names: &[&str]) -> String {
        names.iter().map(|name| format!("ffffffff81000000 t {name}\n")).collect()
    }

    #[test]
    fn finds_the_name_of_each_kernel() {
        for hook in &HOOKS {
            let text = symbols(&["do_rmdir", hook.function, "vfs_unlink"]);
            assert!(matches!(search(text.as_bytes()), Ok(Found::Hook(found)) if found == hook));
        }
    }

    #[test]
    fn takes_no_part_of_a_name() {
        let text = symbols(&["do_unlinkat.cold", "__do_unlinkat", "do_unlinkat\t[other]", "vfs_unlink"]);
        let Ok(Found::Similar(names)) = search(text.as_bytes()) else { panic!("found a hook") };
        assert_eq!(names, ["__do_unlinkat", "vfs_unlink"]);
        let problem = missing(&names);
        assert!(problem.to_string().contains("do_unlinkat or filename_unlinkat"));
        assert!(problem.help[0].contains("__do_unlinkat, vfs_unlink"));
    }

    #[test]
    fn survives_an_empty_or_odd_list() {
        assert!(matches!(search(&b""[..]), Ok(Found::Similar(names)) if names.is_empty()));
        assert!(matches!(search(&b"short\n\n"[..]), Ok(Found::Similar(names)) if names.is_empty()));
    }
}
