//! What kernels were seen to have, do and refuse: `book/facts/KERNEL.snap`. A test keeps those of
//! the course's five; the others were recorded once, with `xtask/examples/kernel_facts.rs`, to tell
//! more exactly when something came.
//!
//! In a page, `{{since 5.18 link/kprobe.multi without 6.1}}` is a version and what was seen of it:
//! "5.18 (6.12+)". It is an error if an older kernel has it, or if a newer one, which is not named
//! after `without` (`all` for all), does not.

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail, ensure};
use checkout::workspace;
use kernel::MATRIX;

use crate::capture;

const BEGIN: &str = "{{since ";

const DIRECTORY: &str = "book/facts";

/// Values by fact, of each kernel.
pub struct Facts {
    /// Oldest first.
    pub kernels: Vec<String>,
    by_kernel: BTreeMap<String, BTreeMap<String, String>>,
}

impl Facts {
    pub fn read_facts() -> Result<Self> {
        let kernels = recorded_kernels()?;
        let mut by_kernel = BTreeMap::new();
        for kernel in &kernels {
            let text = capture::read_body(&format!("{DIRECTORY}/{kernel}.snap"))?;
            by_kernel.insert(kernel.clone(), parse_facts(&text)?);
        }
        Ok(Self { kernels, by_kernel })
    }

    pub fn find_value(&self, fact: &str, kernel: &str) -> Result<&str> {
        let facts = self
            .by_kernel
            .get(kernel)
            .with_context(|| format!("no kernel is called {kernel}"))?;
        let value = facts.get(fact);
        value
            .map(String::as_str)
            .with_context(|| format!("{kernel}.snap has no fact \"{fact}\""))
    }

    fn has(&self, fact: &str, kernel: &str) -> Result<bool> {
        Ok(self.find_value(fact, kernel)? != "no")
    }

    /// Expands all `{{since ...}}` of a line.
    pub fn expand_since(&self, line: &str) -> Result<String> {
        let (mut expanded, mut rest) = (String::new(), line);
        while let Some((before, after)) = rest.split_once(BEGIN) {
            let (inside, after) = after
                .split_once("}}")
                .with_context(|| format!("no }}}} in {line}"))?;
            expanded += before;
            expanded += &self
                .since(inside)
                .with_context(|| format!("{BEGIN}{inside}}}}}"))?;
            rest = after;
        }
        Ok(expanded + rest)
    }

    /// `5.18 link/kprobe.multi without 6.1`
    fn since(&self, claim: &str) -> Result<String> {
        let (claim, without) = claim.split_once(" without ").unwrap_or((claim, ""));
        let (since, fact) = claim
            .split_once(' ')
            .context("a version and a fact are needed")?;
        let without: Vec<&str> = without.split_whitespace().collect();
        let mut having = Vec::new();
        for kernel in &self.kernels {
            let kernel = kernel.as_str();
            let (has, is_late) = (
                self.has(fact, kernel)?,
                parse_version(kernel)? >= parse_version(since)?,
            );
            let is_without = without.contains(&kernel) || without == ["all"];
            match (has, is_late, is_without) {
                (true, false, _) => bail!("Linux {kernel} has it already"),
                (false, true, false) => bail!("Linux {kernel} does not have it"),
                (true, true, true) => {
                    bail!("Linux {kernel} has it, and the page says that it does not")
                }
                (true, true, false) if MATRIX.contains(&kernel) => having.push(kernel),
                (true, true, false) | (false, ..) => {}
            }
        }
        Ok(match shortened(&having) {
            Some(having) => format!("{since} ({having})"),
            None => since.to_owned(),
        })
    }
}

/// "6.12+" for that and all newer ones; `None` for all.
fn shortened(having: &[&str]) -> Option<String> {
    match having {
        [] => Some("none".to_owned()),
        _ if having.len() == MATRIX.len() => None,
        [only] => Some((*only).to_owned()),
        [first, ..] if MATRIX.ends_with(having) => Some(format!("{first}+")),
        _ => Some(having.join(", ")),
    }
}

fn recorded_kernels() -> Result<Vec<String>> {
    let directory = workspace::workspace_root().join(DIRECTORY);
    let entries = fs::read_dir(&directory).with_context(|| format!("cannot list {DIRECTORY}"))?;
    let names = entries
        .flatten()
        .filter_map(|entry| entry.file_name().into_string().ok());
    let mut kernels: Vec<String> = names
        .filter_map(|name| Some(name.strip_suffix(".snap")?.to_owned()))
        .collect();
    if let Some(missing) = MATRIX
        .iter()
        .find(|kernel| !kernels.iter().any(|other| other == *kernel))
    {
        bail!("{DIRECTORY} has no facts of Linux {missing}");
    }
    kernels.sort_by_cached_key(|kernel| parse_version(kernel).unwrap_or_default());
    Ok(kernels)
}

fn parse_facts(text: &str) -> Result<BTreeMap<String, String>> {
    let facts = text
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| {
            let (fact, value) = line
                .split_once(" = ")
                .with_context(|| format!("no fact: {line}"))?;
            Ok((fact.to_owned(), value.to_owned()))
        });
    facts.collect()
}

/// "5.18", or "5.10.262".
pub fn parse_version(text: &str) -> Result<Vec<u32>> {
    let parts: Result<Vec<u32>, _> = text.split('.').map(str::parse).collect();
    let parts = parts.with_context(|| format!("{text} is no version"))?;
    ensure!(parts.len() > 1, "{text} is no version");
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(values: [&str; 5]) -> Facts {
        let one = |value: &str| BTreeMap::from([("x".to_owned(), value.to_owned())]);
        let by_kernel = MATRIX
            .iter()
            .zip(values)
            .map(|(kernel, value)| ((*kernel).to_owned(), one(value)));
        Facts {
            kernels: MATRIX.map(str::to_owned).to_vec(),
            by_kernel: by_kernel.collect(),
        }
    }

    #[test]
    fn what_was_seen_stands_beside_the_version() {
        let from_6_12 = facts(["no", "no", "yes", "yes", "yes"]);
        assert_eq!(
            from_6_12
                .expand_since("| a | {{since 6.6 x}} | b |")
                .unwrap(),
            "| a | 6.6 (6.12+) | b |"
        );
        assert_eq!(
            from_6_12
                .expand_since("{{since 5.18 x without 6.1}}")
                .unwrap(),
            "5.18 (6.12+)"
        );
        assert_eq!(
            facts(["yes"; 5])
                .expand_since("{{since 4.1 x}}, {{since 4.2 x}}")
                .unwrap(),
            "4.1, 4.2"
        );
        let none = facts(["no"; 5]);
        assert_eq!(none.expand_since("{{since 7.4 x}}").unwrap(), "7.4 (none)");
        assert_eq!(
            none.expand_since("{{since 4.18 x without all}}").unwrap(),
            "4.18 (none)"
        );
    }

    #[test]
    fn what_the_kernels_contradict_is_an_error() {
        let from_6_12 = facts(["no", "no", "yes", "yes", "yes"]);
        for wrong in [
            "6.18 x",
            "5.18 x",
            "6.6 x without 6.18",
            "6.6 y",
            "6 x",
            "6.6",
            "later x",
        ] {
            assert!(
                from_6_12
                    .expand_since(&format!("{{{{since {wrong}}}}}"))
                    .is_err(),
                "{wrong}"
            );
        }
        assert!(from_6_12.expand_since("{{since 6.6 x").is_err());
    }
}
