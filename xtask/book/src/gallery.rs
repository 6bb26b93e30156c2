//! The pages of the gallery, one for each entry, and the entries by what the verifier says.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;

use anyhow::{Context, Result};
use course::entry::{self, Entry, FailureStage, Language, Twin};
use kernel::MATRIX;
use similar::{ChangeTag, TextDiff};

use crate::excerpt::fence_code;
use crate::html;
use crate::recorded::{self, Recorded};
use crate::tabs::{Group, render_tabs};

pub const SKIP: &str = "<!-- i18n:skip -->";

/// Where the pages are, seen from the book's source.
pub const DIRECTORY: &str = "gallery";

/// All that the gallery is made of, read once for a build.
pub struct Gallery {
    pub entries: Vec<Entry>,
    recorded: Recorded,
}

impl Gallery {
    pub fn read_gallery() -> Result<Self> {
        Ok(Self {
            entries: entry::read_entries()?,
            recorded: Recorded::read_recorded()?,
        })
    }

    fn find(&self, name: &str) -> Result<&Entry> {
        Ok(entry::find_entry(&self.entries, name)?)
    }
}

/// The page of an entry. Its programs and logs come in by directives, so that it can be translated.
pub fn entry_page(entry: &Entry) -> String {
    let Entry { name, about, .. } = entry;
    let section = |id: &str, heading: &str| format!("\n## {heading} {{#{name}-{id}}}\n\n");
    let mut page = format!("# {} {{#{name}}}\n\n", capitalised(&about.title));
    page += &section("fails", "The program that fails");
    page += &format!("{SKIP}\n\n{{{{#failing {name}}}}}\n");
    page += &section(
        "says",
        if about.fails_at == FailureStage::Build {
            "What the compiler says"
        } else {
            "What the verifier says"
        },
    );
    page += &format!("{SKIP}\n\n{{{{#logs {name}}}}}\n");
    page += &section("why", "Why");
    page += &format!(
        "- **What it knew:** {}\n- **What it lacked:** {}\n",
        about.knew, about.missing
    );
    page += &format!("- **The rule:** {}\n", about.rule);
    page += &about
        .note
        .iter()
        .map(|note| format!("\n{note}\n"))
        .collect::<String>();
    page += &section("fix", "The fix");
    page += &format!("- **In C:** {}\n- **In Rust:** {}\n\n", about.c, about.rust);
    page += &format!("{SKIP}\n\n{{{{#fixed {name}}}}}\n");
    page += &differences(entry);
    page += &section("run", "Run it");
    page += &format!("{SKIP}\n\n```console\n$ cargo xtask gallery {name} --kernel all\n```\n");
    page
}

/// Kernels that differ, and why.
fn differences(entry: &Entry) -> String {
    let about = &entry.about;
    let mut lines = Vec::new();
    let mut accepted = |programs: &str, kernels: &BTreeMap<String, String>| {
        lines.extend(
            kernels
                .iter()
                .map(|(kernel, why)| format!("- Linux {kernel} accepts {programs}: {why}\n")),
        );
    };
    accepted("the failing programs", &about.accepted);
    accepted("the failing program in C", &about.accepted_c);
    accepted("the failing program in Rust", &about.accepted_rust);
    lines.extend(
        about
            .class_on
            .iter()
            .map(|(kernel, class)| format!("- Linux {kernel} reports it as `{class}`.\n")),
    );
    lines.extend(
        about
            .since
            .iter()
            .map(|since| format!("- The twin needs Linux {}: {}\n", since.kernel, since.why)),
    );
    let rejected = about.arm64.rejected.iter();
    lines.extend(
        rejected.map(|(kernel, why)| {
            format!("- Linux {kernel} on arm64 rejects the twin too: {why}\n")
        }),
    );
    if about.without_perfmon {
        lines.push(
            "- It is loaded without `CAP_PERFMON`: with root's rights the verifier lets it pass.\n"
                .to_owned(),
        );
    }
    if lines.is_empty() {
        return String::new();
    }
    format!(
        "\n## Where kernels differ {{#{}-kernels}}\n\n{}",
        entry.name,
        lines.concat()
    )
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(letters).collect()
    })
}

/// Languages that the entry has programs in; Rust first, as everywhere in the book.
fn languages(entry: &Entry) -> impl Iterator<Item = Language> {
    [Language::Rust, Language::C]
        .into_iter()
        .filter(|language| entry.none_in(*language).is_none())
}

fn in_words(language: Language) -> &'static str {
    match language {
        Language::Rust => "Rust",
        Language::C => "C",
    }
}

fn by_language(
    entry: &Entry,
    body: impl Fn(Language) -> Result<(String, String)>,
) -> Result<String> {
    let panels = languages(entry).map(|language| {
        let (caption, body) = body(language)?;
        Ok((in_words(language).to_owned(), caption, body))
    });
    let mut shown = render_tabs(Group::Language, &panels.collect::<Result<Vec<_>>>()?);
    for language in Language::ALL {
        if let Some(why) = entry.none_in(language) {
            let _ = write!(
                shown,
                "\nThere is no program in {}: {why}\n",
                in_words(language)
            );
        }
    }
    Ok(shown)
}

/// `{{#failing NAME}}`
pub fn show_failing(gallery: &Gallery, name: &str) -> Result<String> {
    let entry = gallery.find(name)?;
    by_language(entry, |language| {
        let code = source(entry, Twin::Failing, language)?;
        Ok((
            html::html_code(&file(Twin::Failing, language)),
            fence_code(highlighting(language), &code),
        ))
    })
}

/// `{{#fixed NAME}}`: the twin as a whole, with what is other than in the failing program.
pub fn show_fixed(gallery: &Gallery, name: &str) -> Result<String> {
    let entry = gallery.find(name)?;
    by_language(entry, |language| {
        let (before, after) = (
            source(entry, Twin::Failing, language)?,
            source(entry, Twin::Fixed, language)?,
        );
        Ok((
            html::html_code(&file(Twin::Fixed, language)),
            fence_code("diff", &marked(&before, &after)),
        ))
    })
}

/// All lines of both, with a mark before those that only one of them has.
fn marked(before: &str, after: &str) -> String {
    let diff = TextDiff::from_lines(before, after);
    let lines = diff.iter_all_changes().map(|change| {
        let mark = match change.tag() {
            ChangeTag::Equal => ' ',
            ChangeTag::Delete => '-',
            ChangeTag::Insert => '+',
        };
        format!("{mark}{}\n", change.value().trim_end_matches('\n'))
    });
    lines.collect()
}

/// `{{#logs NAME}}`
pub fn show_logs(gallery: &Gallery, name: &str) -> Result<String> {
    let entry = gallery.find(name)?;
    by_language(entry, |language| {
        if let Some(said) = gallery.recorded.of_building(name, language) {
            return Ok((
                String::new(),
                fence_code("text", recorded::verifier_log_of(said)),
            ));
        }
        let panels = MATRIX.iter().rev().map(|kernel| {
            let said = gallery.recorded.of_failing(name, language, kernel)?;
            Ok((
                format!("Linux {kernel}"),
                String::new(),
                log_block(entry, kernel, said),
            ))
        });
        Ok((
            String::new(),
            render_tabs(Group::Kernel, &panels.collect::<Result<Vec<_>>>()?),
        ))
    })
}

/// `{{#log NAME LANGUAGE KERNEL}}`
pub fn show_log(gallery: &Gallery, name: &str, language: Language, kernel: &str) -> Result<String> {
    let entry = gallery.find(name)?;
    let said = gallery.recorded.of_failing(name, language, kernel)?;
    let caption = format!(
        "<p class=\"tab-title\">{}, in {}, on Linux {kernel}</p>\n\n",
        entry_link(entry),
        in_words(language)
    );
    Ok(caption + &log_block(entry, kernel, said))
}

/// `{{#log NAME KERNEL}}`: in each language, and of a long log only the end, where the reason is.
pub fn show_both_logs(gallery: &Gallery, name: &str, kernel: &str) -> Result<String> {
    let entry = gallery.find(name)?;
    by_language(entry, |language| {
        let said = gallery.recorded.of_failing(name, language, kernel)?;
        let caption = format!("{}, on Linux {kernel}", entry_link(entry));
        Ok(match find_end(said) {
            Some(end) => (
                caption + ": the end of the log",
                log_block(entry, kernel, &end),
            ),
            None => (caption, log_block(entry, kernel, said)),
        })
    })
}

/// `{{#sample NAME LANGUAGE KERNEL}}`: a log that the page of the explorer offers to try.
pub fn embed_sample(
    gallery: &Gallery,
    name: &str,
    language: Language,
    kernel: &str,
) -> Result<String> {
    let said = gallery.recorded.of_failing(name, language, kernel)?;
    let log = html::escape_html(recorded::verifier_log_of(said));
    Ok(format!(
        "<pre id=\"own-log-sample\" hidden>\n{log}\n</pre>\n"
    ))
}

/// A longer log fills more than a screen.
const LONGEST_LOG: usize = 60;

/// What is shown of a longer one.
const END_OF_LOG: usize = 24;

/// Of a long log the verdict and the last lines.
fn find_end(said: &str) -> Option<String> {
    let lines: Vec<&str> = said.lines().collect();
    let from = lines.len().checked_sub(END_OF_LOG)?;
    (lines.len() > LONGEST_LOG).then(|| [&lines[..1], &lines[from..]].concat().join("\n"))
}

/// From a page of a lesson.
fn entry_link(entry: &Entry) -> String {
    format!(
        "<a href=\"../{DIRECTORY}/{}.html\">{}</a>",
        entry.name,
        html::escape_html(&entry.about.title)
    )
}

/// The explorer finds it by its class.
fn log_block(entry: &Entry, kernel: &str, said: &str) -> String {
    let verdict = html::escape_html(said.lines().next().unwrap_or_default());
    let log = html::escape_html(recorded::verifier_log_of(said));
    if log.is_empty() {
        return format!("<p class=\"verdict\">{verdict}</p>\n");
    }
    format!(
        "<p class=\"verdict\">{verdict}</p>\n\n<div class=\"verifier-log\" data-entry=\"{}\" \
         data-kernel=\"{kernel}\">\n\n\
         <pre><code class=\"nohighlight\">{log}</code></pre>\n\n</div>\n",
        entry.name
    )
}

fn source(entry: &Entry, twin: Twin, language: Language) -> Result<String> {
    let path = entry.source_path(twin, language);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

fn file(twin: Twin, language: Language) -> String {
    format!("{}.{}", twin.name(), language.file_extension())
}

fn highlighting(language: Language) -> &'static str {
    match language {
        Language::Rust => "rust,ignore",
        Language::C => "c",
    }
}

/// `{{#gallery-by-topic}}`
pub fn by_topic(gallery: &Gallery) -> String {
    let line = |entry: &Entry| {
        format!(
            "- [{}]({}.md)\n",
            capitalised(&entry.about.title),
            entry.name
        )
    };
    gallery.entries.iter().map(line).collect()
}

/// `{{#gallery-by-message}}`: the decisive lines, from all kernels.
pub fn by_message(gallery: &Gallery) -> Result<String> {
    let mut pages: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for entry in &gallery.entries {
        for message in messages(gallery, entry)? {
            pages.entry(message).or_default().insert(entry.name.clone());
        }
    }
    let rows = pages.iter().map(|(message, entries)| {
        let links = entries
            .iter()
            .map(|name| format!("<a href=\"{name}.html\">{name}</a>"));
        let links = links.collect::<Vec<_>>().join("<br>");
        format!(
            "<tr><td>{}</td><td>{links}</td></tr>\n",
            html::html_code(message)
        )
    });
    Ok(format!(
        "<div class=\"table-wrapper\">\n<table class=\"messages\">\n\
         <thead><tr><th>Message</th><th>Page</th></tr></thead>\n\
         <tbody>\n{}</tbody>\n</table>\n</div>\n",
        rows.collect::<String>()
    ))
}

fn messages(gallery: &Gallery, entry: &Entry) -> Result<BTreeSet<String>> {
    let mut messages = BTreeSet::new();
    for language in languages(entry) {
        if let Some(said) = gallery.recorded.of_building(&entry.name, language) {
            messages.extend(
                recorded::verifier_log_of(said)
                    .lines()
                    .find(|line| line.contains("error"))
                    .map(str::to_owned),
            );
            continue;
        }
        for kernel in MATRIX {
            let said = gallery.recorded.of_failing(&entry.name, language, kernel)?;
            let report = bpf_verifier_log::explain_log(recorded::verifier_log_of(said).as_bytes());
            let message = report
                .programs
                .first()
                .and_then(|program| program.message());
            // What kernels add to it on further lines is not what people search for.
            messages.extend(message.and_then(|text| text.lines().next().map(str::to_owned)));
        }
    }
    Ok(messages)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_twin_shows_what_was_changed() {
        assert_eq!(marked("a\nb\n", "a\nc\n"), " a\n-b\n+c\n");
    }

    #[test]
    fn a_long_log_keeps_its_verdict_and_its_end() {
        let log = |lines: usize| {
            let numbers = (1..=lines).map(|number| format!("\n{number}"));
            format!("rejected: no{}", numbers.collect::<String>())
        };
        assert_eq!(find_end(&log(50)), None);
        let end = find_end(&log(100)).unwrap();
        assert!(
            end.starts_with("rejected: no\n77\n") && end.ends_with("\n100"),
            "{end}"
        );
        assert_eq!(end.lines().count(), 25);
    }

    #[test]
    fn a_log_in_both_languages_is_in_tabs_beside_the_programs() {
        let gallery = Gallery::read_gallery().unwrap();
        let logs = show_both_logs(&gallery, "map-value-or-null", "6.12").unwrap();
        for part in [
            "data-group=\"language\"",
            "data-tab=\"Rust\"",
            "@ fail.rs:",
            "data-tab=\"C\"",
            "@ fail.bpf.c:",
        ] {
            assert!(logs.contains(part), "{part} is missing in\n{logs}");
        }
    }

    #[test]
    fn pages_name_each_part_once() {
        let entries = entry::read_entries().unwrap();
        let page = entry_page(&entries[0]);
        for directive in ["{{#failing ", "{{#logs ", "{{#fixed "] {
            assert_eq!(page.matches(directive).count(), 1, "{directive}");
        }
    }

    #[test]
    fn messages_lead_to_their_entries() {
        let index = by_message(&Gallery::read_gallery().unwrap()).unwrap();
        assert!(index.contains("map_value_or_null"));
        assert!(index.contains("href=\"map-value-or-null.html\""));
    }
}
