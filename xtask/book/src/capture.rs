//! Output that a test has captured: a snapshot without its header, or a part of it.

use std::fs;

use anyhow::{Context, Result, ensure};
use checkout::workspace;

use crate::excerpt::fence_code;

/// `PATH ["first line" ["last line"]] [$ command]`
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Capture {
    path: String,
    from: Option<String>,
    to: Option<String>,
    command: Option<String>,
}

impl Capture {
    pub fn parse(text: &str) -> Result<Self> {
        let (rest, command) = match text.split_once(" $ ") {
            Some((rest, command)) => (rest, Some(command.trim().to_owned())),
            None => (text, None),
        };
        let (path, quoted) = rest.split_once(' ').unwrap_or((rest, ""));
        let mut quoted = quoted.split('"').skip(1).step_by(2).map(str::to_owned);
        let (from, to) = (quoted.next(), quoted.next());
        ensure!(
            quoted.next().is_none(),
            "{text}: more than a first and a last line"
        );
        Ok(Self {
            path: path.to_owned(),
            from,
            to,
            command,
        })
    }

    pub fn render_block(&self) -> Result<String> {
        let text = read_body(&self.path)?;
        let part = part(&text, self.from.as_deref(), self.to.as_deref())
            .with_context(|| self.path.clone())?;
        let prompt = self
            .command
            .iter()
            .map(|command| format!("$ {command}\n"))
            .collect::<String>();
        Ok(fence_code("console", &(prompt + &part)))
    }
}

/// A snapshot's contents: what follows the header between two lines of `---`.
pub fn read_body(path: &str) -> Result<String> {
    let text = fs::read_to_string(workspace::workspace_root().join(path))
        .with_context(|| format!("cannot read {path}"))?;
    let text = match text
        .strip_prefix("---\n")
        .and_then(|text| text.split_once("\n---\n"))
    {
        Some((_, body)) => body.to_owned(),
        None => text,
    };
    ensure!(!text.trim().is_empty(), "{path} is empty");
    Ok(text)
}

fn part(text: &str, from: Option<&str>, to: Option<&str>) -> Result<String> {
    let begins = |line: &str, with: &str| line.trim_start().starts_with(with.trim_start());
    let mut lines = text.lines().collect::<Vec<_>>();
    if let Some(from) = from {
        let first = lines.iter().position(|line| begins(line, from));
        lines.drain(..first.with_context(|| format!("no line begins with \"{from}\""))?);
    }
    if let Some(to) = to {
        let last = lines.iter().position(|line| begins(line, to));
        lines.truncate(last.with_context(|| format!("no later line begins with \"{to}\""))? + 1);
    }
    Ok(lines.join("\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "one\n  two\nthree\nfour\n";

    #[test]
    fn parts_begin_and_end_where_they_are_told_to() {
        assert_eq!(
            part(TEXT, Some("two"), Some("three")).unwrap(),
            "  two\nthree"
        );
        assert_eq!(part(TEXT, Some("three"), None).unwrap(), "three\nfour");
        assert!(
            part(TEXT, Some("three"), Some("two")).is_err(),
            "it comes before"
        );
    }

    #[test]
    fn a_capture_is_read_with_all_its_parts() {
        let capture =
            Capture::parse("a/b.snap \"one two\" \"three\" $ cargo xtask run 01").unwrap();
        assert_eq!(capture.path, "a/b.snap");
        assert_eq!(
            (capture.from.as_deref(), capture.to.as_deref()),
            (Some("one two"), Some("three"))
        );
        assert_eq!(capture.command.as_deref(), Some("cargo xtask run 01"));
        assert_eq!(Capture::parse("a/b.snap").unwrap().command, None);
    }
}
