//! Sentences about kernels, and what each rests on: `book/facts/claims.toml`.
//!
//! Every mention of a Linux version in the book's own pages and in the lessons must be in one of
//! these sentences, and what a sentence rests on must hold: values of facts on all kernels that
//! were recorded, or a text that another test keeps. What no run of this repository can show names
//! its source.

use std::collections::BTreeMap;
use std::fs;
use std::ops::Range;

use anyhow::{Context, Result, bail};
use checkout::workspace;
use kernel::MATRIX;
use serde::Deserialize;

use crate::facts::{self, Facts};

const FILE: &str = "book/facts/claims.toml";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    claim: Vec<Claim>,
}

/// A sentence, or the part of one that makes the claim, wherever it is said.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
struct Claim {
    says: String,
    /// By fact: its values, and the kernels that have each.
    #[serde(default)]
    facts: BTreeMap<String, BTreeMap<String, String>>,
    /// Files that a test keeps, and a text in each: `PATH: text`.
    #[serde(default)]
    seen: Vec<String>,
    /// Where it comes from, for what no run of this repository can show.
    source: Option<String>,
    /// Why it is none.
    no_claim: Option<String>,
}

/// A text that is held to the claims, in one line.
pub struct Text {
    name: String,
    text: String,
    mentions: Vec<Range<usize>>,
}

impl Text {
    pub fn of_page(name: &str, source: &str) -> Self {
        let text = words(without_blocks(source).lines());
        let mentions = mentions(&masked(&text), |_| true);
        Self {
            name: name.to_owned(),
            text,
            mentions,
        }
    }

    /// Code, where numbers with a point need not be versions.
    pub fn of_code(name: &str, source: &str) -> Self {
        let text = words(source.lines().map(without_marks));
        let mentions = mentions(&text, |before| {
            INTRODUCTIONS.contains(&before.to_lowercase().as_str())
        });
        Self {
            name: name.to_owned(),
            text,
            mentions,
        }
    }

    /// An entry of the gallery: it may be claimed, and need not, because a test loads its programs
    /// on each kernel.
    pub fn of_entry(name: &str, source: &str) -> Self {
        Self {
            mentions: Vec::new(),
            ..Self::of_code(name, source)
        }
    }
}

/// The word before a version, in a comment.
const INTRODUCTIONS: [&str; 14] = [
    "after", "before", "by", "from", "has", "in", "linux", "older", "on", "since", "than", "to",
    "until", "with",
];

/// Faults of all claims and texts.
pub fn check_claims(facts: &Facts, texts: &[Text]) -> Result<Vec<String>> {
    let source = fs::read_to_string(workspace::workspace_root().join(FILE))
        .with_context(|| format!("cannot read {FILE}"))?;
    let claims: Claims = toml::from_str(&source).with_context(|| format!("cannot parse {FILE}"))?;
    let mut faults = Vec::new();
    for claim in &claims.claim {
        if let Err(error) = claim.check(facts) {
            faults.push(format!("{FILE}: \"{}\": {error:#}", claim.says));
        }
        if !texts.iter().any(|text| text.text.contains(&claim.says)) {
            faults.push(format!("{FILE}: no page says \"{}\" any more", claim.says));
        }
    }
    faults.extend(texts.iter().flat_map(|text| unclaimed(text, &claims.claim)));
    Ok(faults)
}

impl Claim {
    fn check(&self, facts: &Facts) -> Result<()> {
        let said = self.source.is_some() || self.no_claim.is_some();
        if self.facts.is_empty() && self.seen.is_empty() && !said {
            bail!("it rests on nothing: no facts, nothing seen, no source");
        }
        for (fact, values) in &self.facts {
            check_fact(facts, fact, values)?;
        }
        self.check_boundaries(facts)?;
        self.seen.iter().try_for_each(|seen| check_seen(seen))
    }

    /// Where the sentence says "since 7.0" or "up to 6.19", one of its facts changes there.
    fn check_boundaries(&self, facts: &Facts) -> Result<()> {
        for version in boundaries(&self.says) {
            let version = &facts::parse_version(version)?[..2];
            let mut may_be = self.facts.is_empty();
            for fact in self.facts.keys() {
                may_be |= changes_at(facts, fact, version)?;
            }
            if !may_be {
                bail!("none of its facts changes at {version:?}");
            }
        }
        Ok(())
    }
}

/// Whether a fact has another value from this version on, or from the next recorded one; a fact
/// that never changes tells nothing but of its recorded kernels, and of older ones.
fn changes_at(facts: &Facts, fact: &str, version: &[u32]) -> Result<bool> {
    let versions: Result<Vec<Vec<u32>>> = facts
        .kernels
        .iter()
        .map(|kernel| facts::parse_version(kernel))
        .collect();
    let versions = versions?;
    let values: Result<Vec<&str>> = facts
        .kernels
        .iter()
        .map(|kernel| facts.find_value(fact, kernel))
        .collect();
    let values = values?;
    if values.iter().all(|value| value == &values[0]) {
        return Ok(
            version <= &versions[0][..] || versions.iter().any(|recorded| recorded == version)
        );
    }
    let mut pairs = versions.windows(2).zip(values.windows(2));
    Ok(pairs.any(|(at, values)| {
        values[0] != values[1] && &at[0][..] <= version && version <= &at[1][..]
    }))
}

/// The versions in a sentence at which something begins or ends.
fn boundaries(sentence: &str) -> Vec<&str> {
    let words = sentence
        .split(' ')
        .filter(|word| !["Linux", "is", "it"].contains(word));
    let words: Vec<&str> = words.collect();
    let at = |index: usize| words.get(index).copied().unwrap_or_default();
    let numbered = words.iter().enumerate().filter_map(|(index, word)| {
        let version = word.trim_matches(|letter: char| !letter.is_ascii_digit());
        let before = if index == 0 {
            ""
        } else {
            at(index - 1).trim_matches('(')
        };
        let begins = ["after", "before", "from", "since", "to", "until"]
            .contains(&before.to_lowercase().as_str());
        let goes_on = at(index + 1).starts_with("on") && at(index + 1).len() <= 3
            || at(index + 1) == "and"
                && ["later", "newer"]
                    .iter()
                    .any(|word| at(index + 2).starts_with(word));
        (is_linux_version(version) && (begins || goes_on)).then_some(version)
    });
    numbered.collect()
}

/// Each kernel has the value that is claimed for it, and for each one is claimed.
fn check_fact(facts: &Facts, fact: &str, values: &BTreeMap<String, String>) -> Result<()> {
    for kernel in &facts.kernels {
        let found = facts.find_value(fact, kernel)?;
        let mut claimed = Vec::new();
        for (value, kernels) in values {
            if includes(kernels, kernel)? {
                claimed.push(value.as_str());
            }
        }
        match claimed[..] {
            [claimed] if claimed == found => {}
            [claimed] => {
                bail!(
                    "{fact} on Linux {kernel}: claimed is \"{claimed}\", and seen was \"{found}\""
                )
            }
            _ => bail!("{fact}: Linux {kernel} is claimed {} times", claimed.len()),
        }
    }
    Ok(())
}

/// `all`, or words like `5.10`, `6.12+` and `5.10-6.12`.
fn includes(kernels: &str, kernel: &str) -> Result<bool> {
    let kernel = facts::parse_version(kernel)?;
    for word in kernels.split_whitespace() {
        let (first, last) = match word.strip_suffix('+') {
            Some(first) => (first, NEWEST),
            None if word == "all" => (OLDEST, NEWEST),
            None => word.split_once('-').unwrap_or((word, word)),
        };
        if facts::parse_version(first)? <= kernel && kernel <= facts::parse_version(last)? {
            return Ok(true);
        }
    }
    Ok(false)
}

const OLDEST: &str = MATRIX[0];
const NEWEST: &str = MATRIX[MATRIX.len() - 1];

fn check_seen(seen: &str) -> Result<()> {
    let (path, text) = seen
        .split_once(": ")
        .with_context(|| format!("{seen}: a path and a text are needed"))?;
    let found = fs::read_to_string(workspace::workspace_root().join(path))
        .with_context(|| format!("cannot read {path}"))?;
    if !found.contains(text) {
        bail!("{path} has no \"{text}\"");
    }
    Ok(())
}

/// Mentions of versions that no claim covers.
fn unclaimed(text: &Text, claims: &[Claim]) -> Vec<String> {
    let covered: Vec<Range<usize>> = claims
        .iter()
        .flat_map(|claim| {
            let found = text.text.match_indices(claim.says.as_str());
            found.map(|(begin, said)| begin..begin + said.len())
        })
        .collect();
    let is_covered = |mention: &Range<usize>| {
        covered
            .iter()
            .any(|covered| covered.start <= mention.start && mention.end <= covered.end)
    };
    let open = text.mentions.iter().filter(|mention| !is_covered(mention));
    open.map(|mention| {
        let begin = text
            .text
            .floor_char_boundary(mention.start.saturating_sub(60));
        let end = text.text.ceil_char_boundary(mention.end + 40);
        format!(
            "{}: no claim in {FILE} is about \"...{}...\"",
            text.name,
            &text.text[begin..end]
        )
    })
    .collect()
}

/// One line, one space between words.
fn words<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    lines
        .flat_map(str::split_whitespace)
        .collect::<Vec<_>>()
        .join(" ")
}

fn without_marks(line: &str) -> &str {
    line.trim()
        .trim_start_matches(['/', '*', '!', '#'])
        .trim_end_matches("*/")
}

/// A page without its code blocks, directives and comments.
fn without_blocks(source: &str) -> String {
    let mut in_block = false;
    let kept = source.lines().filter(|line| {
        let is_fence = line.starts_with("```");
        in_block ^= is_fence;
        !in_block && !is_fence && !line.starts_with("{{#") && !line.starts_with("<!--")
    });
    kept.collect::<Vec<_>>().join("\n")
}

/// As long as the text, with nothing left of inline code, of links' targets and of `{{since ...}}`.
fn masked(text: &str) -> String {
    let mut masked = text.to_owned();
    for (begin, end) in [("{{", "}}"), ("`", "`"), ("](", ")")] {
        let mut from = 0;
        while let Some(at) = masked[from..].find(begin).map(|at| from + at) {
            let inside = at + begin.len();
            let Some(length) = masked[inside..].find(end) else {
                break;
            };
            let until = inside + length + end.len();
            masked.replace_range(at..until, &"_".repeat(until - at));
            from = until;
        }
    }
    masked
}

/// Where a text has versions of Linux, if the word before them may come before one.
fn mentions(text: &str, may_follow: impl Fn(&str) -> bool) -> Vec<Range<usize>> {
    let (mut found, mut before, mut at) = (Vec::new(), "", 0);
    for word in text.split(' ') {
        let bare = word.trim_matches(|letter: char| !letter.is_ascii_digit());
        if is_linux_version(bare) && !word.starts_with('-') && may_follow(before) {
            let begin = at + word.find(bare).unwrap_or_default();
            found.push(begin..begin + bare.len());
        }
        before = word.trim_matches(|letter: char| !letter.is_alphanumeric());
        at += word.len() + 1;
    }
    found
}

/// From 4.0 on: of older ones all five kernels have everything.
fn is_linux_version(word: &str) -> bool {
    facts::parse_version(word)
        .is_ok_and(|parts| (4..=7).contains(&parts[0]) && parts[1] <= 20 && parts.len() < 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_found_in_prose_and_not_in_code() {
        let page = "On 5.10, `x 6.1` and [a](b-6.12.html) {{since 6.18 x}}\n```console\n$ 7.3\n\
            ```\nup to 6.16's. Rust 1.95";
        let text = Text::of_page("page", page);
        let found: Vec<&str> = text
            .mentions
            .iter()
            .map(|range| &text.text[range.clone()])
            .collect();
        assert_eq!(found, ["5.10", "6.16"]);
    }

    #[test]
    fn versions_in_comments_follow_certain_words() {
        let text = Text::of_code(
            "main.rs",
            "// GPL-2.0, since\n// Linux 5.10\nlet half = 4.5;\n",
        );
        assert_eq!(text.mentions.len(), 1);
        assert_eq!(&text.text[text.mentions[0].clone()], "5.10");
    }

    #[test]
    fn kernels_are_named_in_four_ways() {
        for (kernels, count) in [
            ("all", 5),
            ("6.12+", 3),
            ("5.10-6.12", 3),
            ("5.10 7.3", 2),
            ("6.16-6.17", 0),
        ] {
            let included = MATRIX
                .iter()
                .filter(|kernel| includes(kernels, kernel).unwrap())
                .count();
            assert_eq!(included, count, "{kernels}");
        }
        assert!(includes("new", "5.10").is_err());
    }

    #[test]
    fn a_false_claim_is_found() {
        let facts = Facts::read_facts().unwrap();
        let claim = |value: &str, kernels: &str| {
            let values = BTreeMap::from([(value.to_owned(), kernels.to_owned())]);
            check_fact(&facts, "function/vfs_unlink", &values)
        };
        assert!(claim("yes", "all").is_ok());
        let wrong = claim("no", "all").unwrap_err().to_string();
        assert!(
            wrong.contains("function/vfs_unlink on Linux 5.10"),
            "{wrong}"
        );
        assert!(claim("yes", "6.1+").is_err(), "5.10 is left out");
        assert!(check_seen("README.md: no such text in it").is_err());
    }

    #[test]
    fn a_boundary_is_where_a_fact_changes() {
        let facts = Facts::read_facts().unwrap();
        let check = |says: &str, fact: &str| {
            let values = BTreeMap::from([("yes".to_owned(), "all".to_owned())]);
            let facts_of_claim = BTreeMap::from([(fact.to_owned(), values)]);
            let claim = Claim {
                says: says.to_owned(),
                facts: facts_of_claim,
                ..Claim::default()
            };
            claim.check_boundaries(&facts).is_ok()
        };
        let fact = "function/do_unlinkat";
        for right in [
            "gone since Linux 7.0",
            "there up to 6.19",
            "there, and before 7.0 too",
            "from 7.0 on",
            "in 6.1",
        ] {
            assert!(check(right, fact), "{right}");
        }
        for wrong in [
            "gone since 7.1",
            "up to 6.18",
            "6.1 and later",
            "6.12 on: no",
        ] {
            assert!(!check(wrong, fact), "{wrong}");
        }
        assert!(
            check("since 5.17", "helper/bpf_loop"),
            "between two recorded kernels"
        );
        assert!(check("since 4.1", "program/kprobe") && !check("since 5.11", "program/kprobe"));
    }

    #[test]
    fn a_mention_without_a_claim_is_found() {
        let claim = Claim {
            says: "Linux 6.1 has it".to_owned(),
            ..Claim::default()
        };
        let text = Text::of_page("page", "Linux 6.1 has it, and 6.12 too.");
        let faults = unclaimed(&text, &[claim]);
        assert_eq!(faults.len(), 1, "{faults:?}");
        assert!(faults[0].contains("6.12 too"), "{faults:?}");
    }
}
