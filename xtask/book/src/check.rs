//! What mdBook lets pass: looks at the sources, then at the rendered pages.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::workspace;
use problem::{Exit, Problem};
use scraper::{Html, Selector};
use walkdir::WalkDir;
use xtask::output::screen::{self, Mark};

use crate::claims::{self, Text};
use crate::facts::Facts;
use crate::gallery::SKIP;
use crate::{directive, excerpt, exercise_page, render};

pub fn check_book() -> Result<Exit> {
    let mut faults = in_sources()?;
    let book = match render::build_book() {
        // They are the reason, and there may be more of them than the one that stopped it.
        Err(_) if !faults.is_empty() => return report(&faults),
        built => built?,
    };
    let pages = pages(&book)?;
    faults.extend(in_pages(&pages, &book));
    if faults.is_empty() {
        screen::show_marked(
            Mark::Good,
            &format!("the book is whole: {} pages", pages.len()),
        );
        return Ok(Exit::Done);
    }
    report(&faults)
}

fn report(faults: &[String]) -> Result<Exit> {
    let count = faults.len();
    screen::write_answer((faults.join("\n") + "\n").as_bytes())?;
    let faults = if count == 1 { "fault" } else { "faults" };
    Err(
        Problem::new(Exit::NotYet, format!("the book has {count} {faults}"))
            .help("cargo xtask book check")
            .into(),
    )
}

fn files(directory: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let walk = WalkDir::new(directory).sort_by_file_name().into_iter();
    for entry in walk.filter_entry(|entry| entry.file_name() != "target") {
        let path = entry
            .with_context(|| format!("cannot read {}", directory.display()))?
            .into_path();
        if path.extension().is_some_and(|found| found == ending) {
            found.push(path);
        }
    }
    Ok(found)
}

fn in_sources() -> Result<Vec<String>> {
    let directory = render::source_directory().join("src");
    let summary =
        fs::read_to_string(directory.join("SUMMARY.md")).context("cannot read SUMMARY.md")?;
    let (mut faults, mut ids, mut used) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
    let (facts, mut texts) = (Facts::read_facts()?, lessons()?);
    for path in files(&directory, "md")? {
        let name = path
            .strip_prefix(&directory)
            .unwrap_or(&path)
            .display()
            .to_string();
        if name == "SUMMARY.md" {
            continue;
        }
        if !summary.contains(&format!("({name})")) {
            faults.push(format!("{name}: not in SUMMARY.md"));
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        let mut found = in_source(&text, &mut ids, &mut used);
        found.extend(contradictions(&text, &facts));
        faults.extend(
            found
                .into_iter()
                .map(|(line, what)| format!("{name}:{line}: {what}")),
        );
        texts.push(Text::of_page(&name, &text));
    }
    faults.extend(in_exercises(&mut ids, &mut used)?);
    faults.extend(unused_anchors(&used)?);
    faults.extend(claims::check_claims(&facts, &texts)?);
    Ok(faults)
}

/// Faults of the pages that are made of an exercise's files.
fn in_exercises(
    ids: &mut BTreeMap<String, usize>,
    used: &mut BTreeSet<String>,
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for page in exercise_page::read_exercise_pages()? {
        let found = in_source(&page.write_page()?, ids, used);
        faults.extend(
            found
                .into_iter()
                .map(|(_, what)| format!("the page of {}: {what}", page.exercise.name)),
        );
    }
    Ok(faults)
}

/// Lines whose `{{since ...}}` is not what was seen on the kernels.
fn contradictions(text: &str, facts: &Facts) -> Vec<(usize, String)> {
    let lines = (1..).zip(text.lines());
    lines
        .filter_map(|(number, line)| {
            Some((number, format!("{:#}", facts.expand_since(line).err()?)))
        })
        .collect()
}

/// What the lessons' sources and exercises say of kernels.
fn lessons() -> Result<Vec<Text>> {
    let mut texts = Vec::new();
    for ending in ["rs", "c", "h", "toml", "md"] {
        let found = files(&workspace::workspace_root().join("lessons"), ending)?;
        for path in &found {
            let name = path
                .strip_prefix(workspace::workspace_root())
                .unwrap_or(path)
                .display()
                .to_string();
            let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
            texts.push(match ending {
                "md" => Text::of_page(&name, &text),
                _ if name.ends_with("entry.toml") => Text::of_entry(&name, &text),
                _ => Text::of_code(&name, &text),
            });
        }
    }
    Ok(texts)
}

/// Faults of a page, each with its line.
fn in_source(
    text: &str,
    ids: &mut BTreeMap<String, usize>,
    used: &mut BTreeSet<String>,
) -> Vec<(usize, String)> {
    let (mut faults, mut before, mut in_block) = (Vec::new(), "", false);
    for (number, line) in (1..).zip(text.lines()) {
        let opens = line.starts_with("```");
        if opens && !in_block {
            faults.extend(typed(line, before).map(|what| (number, what)));
        }
        if !in_block {
            faults.extend(heading(line, ids).map(|what| (number, what)));
            match directive::parse_directive(line) {
                Ok(Some(found)) => {
                    used.extend(found.list_excerpts().iter().map(ToString::to_string));
                    if before != SKIP {
                        faults.push((number, format!("{SKIP} is missing before it")));
                    }
                }
                Ok(None) => {}
                Err(error) => faults.push((number, format!("{error:#}"))),
            }
        } else if line.contains("{{#") {
            faults.push((number, "a directive in a code block".to_owned()));
        }
        in_block ^= opens;
        if !line.trim().is_empty() {
            before = line.trim();
        }
    }
    faults
}

/// Code is included, never typed; what the reader types are commands.
fn typed(fence: &str, before: &str) -> Option<String> {
    let language = fence.trim_start_matches('`').trim();
    if !["console", "toml", "text"].contains(&language) {
        return Some(format!(
            "code that no compiler sees: include it ({language})"
        ));
    }
    (before != SKIP).then(|| format!("{SKIP} is missing before it"))
}

fn heading(line: &str, ids: &mut BTreeMap<String, usize>) -> Option<String> {
    let heading = line.trim_start_matches('#');
    if heading == line || !heading.starts_with(' ') {
        return None;
    }
    let Some(id) = heading
        .trim_end()
        .strip_suffix('}')
        .and_then(|text| text.rsplit_once("{#"))
    else {
        return Some("a heading without an id: {#like-this}".to_owned());
    };
    let seen = ids.entry(id.1.to_owned()).or_default();
    *seen += 1;
    (*seen > 1).then(|| format!("the id {} is used twice", id.1))
}

/// Anchors in the sources that no page shows: their comments would be noise.
fn unused_anchors(used: &BTreeSet<String>) -> Result<Vec<String>> {
    let mut unused = Vec::new();
    for ending in ["rs", "c", "h", "toml"] {
        for directory in ["lessons", "xtask"] {
            for path in files(&workspace::workspace_root().join(directory), ending)? {
                let anchors = anchors(&path)?
                    .into_iter()
                    .filter(|anchor| !used.contains(anchor));
                unused.extend(anchors.map(|anchor| format!("{anchor}: no page shows it")));
            }
        }
    }
    Ok(unused)
}

/// As excerpts name them.
fn anchors(path: &Path) -> Result<Vec<String>> {
    let name = path
        .strip_prefix(workspace::workspace_root())
        .unwrap_or(path)
        .display()
        .to_string();
    if name.starts_with("xtask/book/") {
        // They are what its own tests are about.
        return Ok(Vec::new());
    }
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
    Ok(text
        .lines()
        .filter_map(excerpt::find_anchor)
        .map(|anchor| format!("{name}:{anchor}"))
        .collect())
}

/// A rendered page, as far as the checks look at it.
struct Page {
    ids: BTreeSet<String>,
    links: Vec<String>,
    faults: Vec<String>,
}

fn pages(book: &Path) -> Result<BTreeMap<String, Page>> {
    let mut pages = BTreeMap::new();
    for path in files(book, "html")? {
        let name = path
            .strip_prefix(book)
            .unwrap_or(&path)
            .display()
            .to_string();
        // All chapters on one page, and the list for browsers without JavaScript: the same links
        // once more.
        if ["print.html", "toc.html", "404.html"].contains(&name.as_str()) {
            continue;
        }
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {name}"))?;
        pages.insert(name, page(&text));
    }
    Ok(pages)
}

fn page(text: &str) -> Page {
    let html = Html::parse_document(text);
    let all = |selector: &str| -> Vec<scraper::ElementRef<'_>> {
        Selector::parse(selector)
            .map(|selector| html.select(&selector).collect())
            .unwrap_or_default()
    };
    let mut faults = Vec::new();
    let mut ids = BTreeSet::new();
    for element in all("[id]") {
        let id = element.attr("id").unwrap_or_default().to_owned();
        if !ids.insert(id.clone()) {
            faults.push(format!("the id {id} is there twice"));
        }
    }
    if text.contains("{{#") || text.contains("{{since") {
        faults.push("a directive was not expanded".to_owned());
    }
    let empty = all("main pre code")
        .iter()
        .filter(|code| code.text().all(|text| text.trim().is_empty()))
        .count();
    if empty > 0 {
        faults.push(format!("{empty} empty code blocks"));
    }
    let nameless = all("main img:not([alt]), main svg[role=img]:not([aria-label])").len();
    if nameless > 0 {
        faults.push(format!("{nameless} pictures without words"));
    }
    let attribute = |selector: &str, name: &str| -> Vec<String> {
        all(selector)
            .iter()
            .filter_map(|element| element.attr(name))
            .map(str::to_owned)
            .collect()
    };
    let links = [
        attribute("main a[href]", "href"),
        attribute("main img[src]", "src"),
    ]
    .concat();
    Page { ids, links, faults }
}

fn in_pages(pages: &BTreeMap<String, Page>, book: &Path) -> Vec<String> {
    let mut faults = Vec::new();
    for (name, page) in pages {
        let broken = page
            .links
            .iter()
            .filter_map(|link| broken(name, link, pages, book));
        faults.extend(
            page.faults
                .iter()
                .cloned()
                .chain(broken)
                .map(|fault| format!("{name}: {fault}")),
        );
    }
    faults
}

fn broken(page: &str, link: &str, pages: &BTreeMap<String, Page>, book: &Path) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, fragment) = link.split_once('#').unwrap_or((link, ""));
    let target = if path.is_empty() {
        page.to_owned()
    } else {
        resolved(page, path)?
    };
    let Some(found) = pages.get(&target) else {
        return (!book.join(&target).is_file()).then(|| format!("{link} leads nowhere"));
    };
    (!fragment.is_empty() && !found.ids.contains(fragment))
        .then(|| format!("{link}: {target} has no such place"))
}

/// Seen from the book's directory.
fn resolved(page: &str, link: &str) -> Option<String> {
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(text: &str) -> Vec<(usize, String)> {
        in_source(text, &mut BTreeMap::new(), &mut BTreeSet::new())
    }

    #[test]
    fn a_page_in_order_has_no_faults() {
        let text = format!(
            "# A {{#a}}\n\n{SKIP}\n\n{{{{#needs 01}}}}\n\n{SKIP}\n\n```console\n$ ls\n\
             # no heading\n```\n"
        );
        assert_eq!(faults(&text), []);
    }

    #[test]
    fn each_fault_has_its_line() {
        let text =
            "# A\n## B {#b}\n## C {#b}\n```rust\nlet a = 1;\n```\n{{#needs 01}}\n{{#nonsense}}\n";
        let lines: Vec<usize> = faults(text).into_iter().map(|(line, _)| line).collect();
        assert_eq!(lines, [1, 3, 4, 7, 8]);
    }

    #[test]
    fn rendered_faults_are_found() {
        let html = "<main><h1 id=a>A</h1><p id=a>{{#needs 01}}<pre><code> </code></pre><svg \
            role=img></svg></main>";
        assert_eq!(page(html).faults.len(), 4, "{:?}", page(html).faults);
    }

    #[test]
    fn links_lead_somewhere() {
        let pages = BTreeMap::from([
            (
                "index.html".to_owned(),
                page("<main><h1 id=top>A</h1></main>"),
            ),
            ("a/b.html".to_owned(), page("<main></main>")),
        ]);
        let check = |page, link| broken(page, link, &pages, Path::new("no-such-directory"));
        for good in [
            "../index.html",
            "../index.html#top",
            "#",
            "https://docs.kernel.org/",
        ] {
            assert_eq!(check("a/b.html", good), None, "{good}");
        }
        for bad in ["../gone.html", "../index.html#gone", "index.html"] {
            assert!(check("a/b.html", bad).is_some(), "{bad}");
        }
    }
}
