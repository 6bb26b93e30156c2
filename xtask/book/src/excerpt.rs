//! Code from a compiled file: all of it, or the part between two comments.
//!
//! ```text
//!   // ANCHOR: ring-buffer
//!   ...
//!   // ANCHOR_END: ring-buffer
//! ```

use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use checkout::workspace;

const BEGIN: &str = "ANCHOR:";
const END: &str = "ANCHOR_END:";

/// More lines at a time are a wall.
const LONGEST: usize = 45;

/// `lessons/01-hello-kprobe/src/aya.rs:load`, without an anchor the whole file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Excerpt {
    pub path: String,
    pub anchor: Option<String>,
}

impl Excerpt {
    pub fn parse(text: &str) -> Self {
        match text.split_once(':') {
            Some((path, anchor)) => Self {
                path: path.to_owned(),
                anchor: Some(anchor.to_owned()),
            },
            None => Self {
                path: text.to_owned(),
                anchor: None,
            },
        }
    }

    /// Its path, and the code as a Markdown block.
    pub fn render_block(&self) -> Result<String> {
        let code = self.read_code()?;
        ensure!(
            self.anchor.is_none() || code.lines().count() <= LONGEST,
            "{self} has {} lines; at most {LONGEST} can be read at a time",
            code.lines().count()
        );
        Ok(fence_code(self.language(), &code))
    }

    fn language(&self) -> &'static str {
        match Path::new(&self.path)
            .extension()
            .and_then(|ending| ending.to_str())
        {
            // Not to be run by the reader's browser.
            Some("rs") => "rust,ignore",
            Some("c" | "h") => "c",
            Some("toml") => "toml",
            Some("yml") => "yaml",
            _ => "text",
        }
    }

    pub fn read_code(&self) -> Result<String> {
        let path = workspace::workspace_root().join(&self.path);
        let text =
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", self.path))?;
        let code = match &self.anchor {
            None => text.lines().filter(|line| anchor(line).is_none()).collect(),
            Some(name) => between(&text, name).with_context(|| self.path.clone())?,
        };
        let code = dedented(&code);
        ensure!(!code.trim().is_empty(), "{self} is empty");
        Ok(code)
    }
}

impl fmt::Display for Excerpt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)?;
        self.anchor
            .iter()
            .try_for_each(|anchor| write!(f, ":{anchor}"))
    }
}

/// The name of the anchor that begins in this line.
pub fn find_anchor(line: &str) -> Option<&str> {
    anchor(line).and_then(|(name, begins)| begins.then_some(name))
}

/// The name in an anchor's line, and whether it begins there.
fn anchor(line: &str) -> Option<(&str, bool)> {
    let comment = line
        .trim()
        .strip_prefix("//")
        .or_else(|| line.trim().strip_prefix('#'))?
        .trim_start();
    let name = |rest: &'_ str| !rest.trim().is_empty();
    if let Some(rest) = comment.strip_prefix(END).filter(|rest| name(rest)) {
        return Some((rest.trim(), false));
    }
    comment
        .strip_prefix(BEGIN)
        .filter(|rest| name(rest))
        .map(|rest| (rest.trim(), true))
}

fn between<'a>(text: &'a str, wanted: &str) -> Result<Vec<&'a str>> {
    let mut lines = text
        .lines()
        .skip_while(|line| anchor(line) != Some((wanted, true)));
    if lines.next().is_none() {
        bail!("there is no anchor called {wanted}");
    }
    let mut code = Vec::new();
    for line in lines {
        match anchor(line) {
            Some((name, false)) if name == wanted => return Ok(code),
            Some(_) => {}
            None => code.push(line),
        }
    }
    bail!("the anchor {wanted} has no end")
}

fn dedented(lines: &[&str]) -> String {
    let indent = |line: &&str| line.len() - line.trim_start().len();
    let least = lines
        .iter()
        .filter(|line| !line.trim().is_empty())
        .map(indent)
        .min()
        .unwrap_or(0);
    lines
        .iter()
        .map(|line| line.get(least..).unwrap_or_default().to_owned() + "\n")
        .collect()
}

/// A code block that no line of its contents can end.
pub fn fence_code(language: &str, code: &str) -> String {
    format!("`````{language}\n{}\n`````\n", code.trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CODE: &str = "\
fn main() {
    // ANCHOR: all
    let a = 1;
    // ANCHOR: inner
        let b = 2;
    // ANCHOR_END: inner
    // ANCHOR_END: all
}
";

    #[test]
    fn anchors_nest_and_do_not_show() {
        assert_eq!(
            dedented(&between(CODE, "all").unwrap()),
            "let a = 1;\n    let b = 2;\n"
        );
        assert_eq!(dedented(&between(CODE, "inner").unwrap()), "let b = 2;\n");
    }

    #[test]
    fn what_is_missing_is_an_error() {
        assert!(
            between(CODE, "gone")
                .unwrap_err()
                .to_string()
                .contains("gone")
        );
        assert!(
            between("// ANCHOR: a\ncode", "a")
                .unwrap_err()
                .to_string()
                .contains("no end")
        );
    }

    #[test]
    fn a_begin_is_no_end() {
        assert_eq!(find_anchor("    // ANCHOR: a"), Some("a"));
        assert_eq!(find_anchor("// ANCHOR_END: a"), None);
        assert_eq!(find_anchor("// about an ANCHOR: a"), None);
    }
}
