//! Lines like `{{#both A:anchor B:anchor}}`: what the book takes from the repository.
//! CONTRIBUTING.md lists them.

use std::fs;

use anyhow::{Context, Result, bail, ensure};
use checkout::workspace;
use course::entry::Language;

use crate::capture::Capture;
use crate::excerpt::Excerpt;
use crate::facts::Facts;
use crate::gallery::{self, Gallery};
use crate::tabs::{Group, render_tabs};
use crate::{html, kernel_names, table};

/// What comes in from elsewhere.
#[derive(Debug, Eq, PartialEq)]
pub enum Directive {
    Both(Excerpt, Excerpt),
    Code(Excerpt),
    Output(Capture),
    Needs(String),
    Exercises(String),
    Bench(String),
    Picture {
        name: String,
        says: String,
    },
    Failing(String),
    Logs(String),
    Log {
        entry: String,
        /// Without it: both.
        language: Option<String>,
        kernel: String,
    },
    Sample {
        entry: String,
        language: String,
        kernel: String,
    },
    Fixed(String),
    GalleryByMessage,
    GalleryByTopic,
    Names(String),
    Successors,
}

/// The directive in this line, if it is one.
pub fn parse_directive(line: &str) -> Result<Option<Directive>> {
    let Some(inside) = line
        .trim()
        .strip_prefix("{{#")
        .and_then(|rest| rest.strip_suffix("}}"))
    else {
        ensure!(
            !line.contains("{{#"),
            "a directive needs a separate line: {line}"
        );
        return Ok(None);
    };
    let (name, rest) = inside.split_once(' ').unwrap_or((inside, ""));
    let words: Vec<&str> = rest.split_whitespace().collect();
    Ok(Some(match (name, &words[..]) {
        ("both", [rust, c]) => Directive::Both(Excerpt::parse(rust), Excerpt::parse(c)),
        ("code", [code]) => Directive::Code(Excerpt::parse(code)),
        ("output", [_, ..]) => Directive::Output(Capture::parse(rest)?),
        ("needs", [lesson]) => Directive::Needs((*lesson).to_owned()),
        ("exercises", [lesson]) => Directive::Exercises((*lesson).to_owned()),
        ("bench", [lesson]) => Directive::Bench((*lesson).to_owned()),
        ("picture", [name, ..]) => {
            let says = rest
                .split('"')
                .nth(1)
                .with_context(|| format!("{name}: what does the picture say?"))?;
            Directive::Picture {
                name: (*name).to_owned(),
                says: says.to_owned(),
            }
        }
        ("failing", [entry]) => Directive::Failing((*entry).to_owned()),
        ("logs", [entry]) => Directive::Logs((*entry).to_owned()),
        ("log", [entry, languages @ .., kernel]) if languages.len() <= 1 => Directive::Log {
            entry: (*entry).to_owned(),
            language: languages.first().map(|language| (*language).to_owned()),
            kernel: (*kernel).to_owned(),
        },
        ("sample", [entry, language, kernel]) => Directive::Sample {
            entry: (*entry).to_owned(),
            language: (*language).to_owned(),
            kernel: (*kernel).to_owned(),
        },
        ("fixed", [entry]) => Directive::Fixed((*entry).to_owned()),
        ("gallery-by-message", []) => Directive::GalleryByMessage,
        ("gallery-by-topic", []) => Directive::GalleryByTopic,
        ("names", [kind]) => Directive::Names((*kind).to_owned()),
        ("successors", []) => Directive::Successors,
        _ => bail!("no directive looks like {line}"),
    }))
}

impl Directive {
    /// As Markdown.
    pub fn expand_directive(&self, gallery: &Gallery) -> Result<String> {
        match self {
            Self::Both(rust, c) => both(rust, c),
            Self::Code(excerpt) => {
                let caption = html::html_code(&excerpt.path);
                Ok(format!(
                    "<p class=\"tab-title\">{caption}</p>\n\n{}",
                    excerpt.render_block()?
                ))
            }
            Self::Output(capture) => capture.render_block(),
            Self::Needs(lesson) => table::needs_table(lesson),
            Self::Exercises(lesson) => table::exercises_table(lesson),
            Self::Bench(lesson) => table::bench_table(lesson),
            Self::Picture { name, says } => picture(name, says),
            Self::Failing(entry) => gallery::show_failing(gallery, entry),
            Self::Logs(entry) => gallery::show_logs(gallery, entry),
            Self::Log {
                entry,
                language,
                kernel,
            } => match language {
                Some(language) => {
                    gallery::show_log(gallery, entry, parse_language(language)?, kernel)
                }
                None => gallery::show_both_logs(gallery, entry, kernel),
            },
            Self::Sample {
                entry,
                language,
                kernel,
            } => gallery::embed_sample(gallery, entry, parse_language(language)?, kernel),
            Self::Fixed(entry) => gallery::show_fixed(gallery, entry),
            Self::GalleryByMessage => gallery::by_message(gallery),
            Self::GalleryByTopic => Ok(gallery::by_topic(gallery)),
            Self::Names(kind) => kernel_names::names_table(kind),
            Self::Successors => kernel_names::successors_table(),
        }
    }

    /// The excerpts of code in it.
    pub fn list_excerpts(&self) -> Vec<&Excerpt> {
        match self {
            Self::Both(rust, c) => vec![rust, c],
            Self::Code(excerpt) => vec![excerpt],
            _ => Vec::new(),
        }
    }
}

/// eBPF programs are in two languages; user-space programs are both in Rust, with two libraries.
fn both(rust: &Excerpt, c: &Excerpt) -> Result<String> {
    let caption = |excerpt: &Excerpt, library: &str| {
        let library = if c.path.ends_with(".rs") {
            format!("{library}, ")
        } else {
            String::new()
        };
        format!("{library}{}", html::html_code(&excerpt.path))
    };
    Ok(render_tabs(
        Group::Language,
        &[
            (
                "Rust".to_owned(),
                caption(rust, "with aya"),
                rust.render_block()?,
            ),
            (
                "C".to_owned(),
                caption(c, "with libbpf-rs"),
                c.render_block()?,
            ),
        ],
    ))
}

fn parse_language(name: &str) -> Result<Language> {
    let known = Language::ALL
        .into_iter()
        .find(|language| language.name() == name);
    known.with_context(|| format!("{name} is not c or rust"))
}

/// A page with all of its directives expanded.
pub fn expand_page(text: &str, gallery: &Gallery, facts: &Facts) -> Result<String> {
    let mut page = String::new();
    for line in text.lines() {
        match parse_directive(line)? {
            Some(directive) => page += &directive.expand_directive(gallery)?,
            None => page += &facts.expand_since(line)?,
        }
        page.push('\n');
    }
    Ok(page)
}

/// Part of the page, so that it takes the theme's colours.
fn picture(name: &str, says: &str) -> Result<String> {
    let path = format!("book/src/pictures/{name}.svg");
    let svg = fs::read_to_string(workspace::workspace_root().join(&path))
        .with_context(|| format!("cannot read {path}"))?;
    let begin = svg
        .find("<svg ")
        .with_context(|| format!("{path} is no SVG"))?;
    let drawn = svg[begin..].replacen(
        "<svg ",
        &format!("<svg aria-label=\"{}\" ", html::escape_html(says)),
        1,
    );
    // A blank line would end it.
    let drawn: String = drawn
        .lines()
        .filter(|line| !line.trim().is_empty())
        .map(|line| line.to_owned() + "\n")
        .collect();
    Ok(format!("<figure class=\"picture\">\n{drawn}</figure>\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directive_has_all_its_parts_or_is_an_error() {
        assert_eq!(parse_directive("text").unwrap(), None);
        assert_eq!(
            parse_directive("{{#needs 01}}").unwrap(),
            Some(Directive::Needs("01".into()))
        );
        for wrong in [
            "{{#needs}}",
            "{{#neds 01}}",
            "{{#both a:b}}",
            "see {{#needs 01}}",
            "{{#picture a}}",
        ] {
            assert!(parse_directive(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn tables_come_from_the_lessons() {
        let page = "{{#needs 01}}\n{{#exercises 01}}\n{{since 5.7 program/lsm}}";
        let table = expand_page(
            page,
            &Gallery::read_gallery().unwrap(),
            &Facts::read_facts().unwrap(),
        )
        .unwrap();
        assert!(table.ends_with("\n5.7\n"), "{table}");
        assert!(
            table.contains("| **Hooks** | kprobe, kretprobe |"),
            "{table}"
        );
        let mut exercises = course::exercises::read_exercises().unwrap();
        exercises.retain(|exercise| exercise.lesson_number() == "01");
        assert_eq!(table.matches("| [`01/").count(), exercises.len());
        assert!(table.contains("| fill a gap, in user space |"), "{table}");
    }
}
