//! What the kernels, and the compilers, were seen to say of the gallery's programs: the snapshots
//! in `logs/`.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use checkout::workspace;
use course::entry::{self, Language};
use kernel::MATRIX;

use crate::capture;

/// By kernel (or `build`), entry, language and twin.
type Key = (String, String, String, String);

/// What was said, from its first line, `rejected: ...` or the like, on.
pub struct Recorded {
    said: BTreeMap<Key, String>,
}

impl Recorded {
    /// What this kernel said of the failing program.
    pub fn of_failing(&self, entry: &str, language: Language, kernel: &str) -> Result<&str> {
        self.said(kernel, entry, language).with_context(|| {
            format!(
                "{kernel} was not seen to say anything of {entry} in {}",
                language.name()
            )
        })
    }

    /// What the compiler said of a failing program that does not build.
    pub fn of_building(&self, entry: &str, language: Language) -> Option<&str> {
        self.said("build", entry, language)
    }

    fn said(&self, kernel: &str, entry: &str, language: Language) -> Option<&str> {
        let key = (
            kernel.to_owned(),
            entry.to_owned(),
            language.name().to_owned(),
            "fail".to_owned(),
        );
        self.said.get(&key).map(String::as_str)
    }

    pub fn read_recorded() -> Result<Self> {
        let directory = entry::find_gallery_lesson()?.directory.join("logs");
        let directory = directory
            .strip_prefix(workspace::workspace_root())
            .unwrap_or(&directory)
            .display()
            .to_string();
        let mut said = BTreeMap::new();
        for kernel in MATRIX.into_iter().chain(["build"]) {
            let text = capture::read_body(&format!("{directory}/{kernel}.snap"))?;
            for (heading, words) in sections(&text) {
                let mut parts = heading.split(" · ").map(str::to_owned);
                let (Some(entry), Some(language), Some(twin)) =
                    (parts.next(), parts.next(), parts.next())
                else {
                    bail!("{kernel}.snap: no entry, language and twin in \"{heading}\"");
                };
                said.insert((kernel.to_owned(), entry, language, twin), words.to_owned());
            }
        }
        Ok(Self { said })
    }
}

/// The verifier's log without the line that says whether it was rejected.
pub fn verifier_log_of(said: &str) -> &str {
    said.split_once('\n').map_or("", |(_, log)| log).trim_end()
}

/// The text after each `=== heading`.
fn sections(text: &str) -> impl Iterator<Item = (&str, &str)> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let begin = rest.find("\n=== ")? + "\n=== ".len();
        let (heading, said) = rest[begin..].split_once('\n')?;
        let end = said.find("\n=== ").unwrap_or(said.len());
        rest = &said[end..];
        Some((heading, said[..end].trim_end()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sections_end_where_the_next_begins() {
        let text = "versions\n\n=== a · c · fail\nrejected: no\nlog\n\n=== b · c · fixed\n\
            accepted: 3 instructions";
        let found: Vec<_> = sections(text).collect();
        assert_eq!(
            found,
            [
                ("a · c · fail", "rejected: no\nlog"),
                ("b · c · fixed", "accepted: 3 instructions")
            ]
        );
        assert_eq!(verifier_log_of(found[0].1), "log");
    }

    #[test]
    fn every_entry_was_seen_on_every_kernel_that_it_fails_on() {
        let recorded = Recorded::read_recorded().unwrap();
        for entry in entry::read_entries().unwrap() {
            for language in Language::ALL
                .into_iter()
                .filter(|language| entry.none_in(*language).is_none())
            {
                let seen = match entry.about.fails_at {
                    entry::FailureStage::Build => {
                        recorded.of_building(&entry.name, language).is_some()
                    }
                    _ => MATRIX
                        .iter()
                        .all(|kernel| recorded.of_failing(&entry.name, language, kernel).is_ok()),
                };
                assert!(seen, "{} in {}", entry.name, language.name());
            }
        }
    }
}
