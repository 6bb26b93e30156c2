//! Each `unsafe` with its reason, which a comment before it says.

use std::collections::BTreeMap;

use crate::code::without_comments_and_literals;
use crate::files::SourceFile;

/// What begins a reason: a comment, or a section of the documentation of an unsafe function.
const MARKS: [&str; 2] = ["SAFETY:", "# Safety"];

/// Attributes that are on nearly every eBPF program, and why each is right. What comes before
/// ` = ` names it.
const ATTRIBUTES: [(&str, &str); 4] = [
    (
        "no_mangle",
        "no other symbol of the object has this name: a second one is an error when it is linked",
    ),
    (
        "link_section",
        "what is in it has the form that the loader reads there",
    ),
    (
        "export_name",
        "no other symbol of the object has this name: a second one is an error when it is linked",
    ),
    (
        "naked",
        "the function consists of assembly only, which keeps to the calling convention",
    ),
];

/// One place where the compiler has to trust the author.
pub struct UnsafeCode {
    line: usize,
    item: String,
    reason: Option<String>,
}

/// All of them, for people: by file, the places of one reason together.
pub fn list_reasons(files: &[SourceFile]) -> String {
    let mut text = String::new();
    let (mut places, mut attributes) = (0, BTreeMap::new());
    for file in files.iter().filter(|file| is_looked_at(file)) {
        let found = find_unsafe(&file.text);
        places += found.len();
        text += &list_file(file, &found);
        for name in find_attributes(&file.text) {
            *attributes.entry(name).or_insert(0) += 1;
        }
    }
    for (name, count) in attributes {
        let reason = reason_of_attribute(&name).unwrap_or("no reason");
        text += &format!("#[unsafe({name})], {count} times\n    {reason}\n");
    }
    text + &format!("{places} places, and these attributes\n")
}

fn list_file(file: &SourceFile, found: &[UnsafeCode]) -> String {
    let mut text = String::new();
    let mut rest = found;
    while let Some(first) = rest.first() {
        let same = rest
            .iter()
            .take_while(|other| other.reason == first.reason)
            .count();
        for place in &rest[..same] {
            text += &format!("{}:{}: {}\n", file.path, place.line, place.item);
        }
        text += &format!("    {}\n", first.reason.as_deref().unwrap_or("no reason"));
        rest = &rest[same..];
    }
    text
}

/// The places without a reason, a line each.
pub fn find_unexplained(files: &[SourceFile]) -> Vec<String> {
    let mut faults = Vec::new();
    for file in files.iter().filter(|file| is_looked_at(file)) {
        for place in find_unsafe(&file.text) {
            if place.reason.is_none() {
                faults.push(format!("{}:{}: {}", file.path, place.line, place.item));
            }
        }
        for name in find_attributes(&file.text) {
            if reason_of_attribute(&name).is_none() {
                faults.push(format!("{}: #[unsafe({name})]", file.path));
            }
        }
    }
    faults
}

/// The old forms of the page "What changed" are as other people write them.
fn is_looked_at(file: &SourceFile) -> bool {
    file.is_rust() && !file.path.contains("/changes/old/")
}

fn reason_of_attribute(name: &str) -> Option<&'static str> {
    let known = ATTRIBUTES.iter().find(|(known, _)| *known == name);
    known.map(|(_, reason)| *reason)
}

/// The names in `#[unsafe(...)]`.
fn find_attributes(text: &str) -> Vec<String> {
    let code = without_comments_and_literals(text);
    let mut names = Vec::new();
    for (at, mark) in code.match_indices("[unsafe(") {
        let rest = code[at + mark.len()..].trim_start();
        names.push(rest.chars().take_while(|it| is_word(*it)).collect());
    }
    names
}

fn is_word(letter: char) -> bool {
    letter.is_alphanumeric() || letter == '_'
}

/// Blocks, functions, implementations, and foreign functions. Attributes are counted apart, and the
/// type of an unsafe function does nothing.
fn find_unsafe(text: &str) -> Vec<UnsafeCode> {
    let code = without_comments_and_literals(text);
    let (lines, code): (Vec<&str>, Vec<&str>) = (text.lines().collect(), code.lines().collect());
    let mut found = Vec::new();
    for (number, line) in code.iter().enumerate() {
        if !line
            .match_indices("unsafe")
            .any(|(at, _)| is_place(line, at))
        {
            continue;
        }
        found.push(UnsafeCode {
            line: number + 1,
            item: lines[number].trim().to_owned(),
            reason: find_reason(&lines, &code, number),
        });
    }
    found
}

fn is_place(line: &str, at: usize) -> bool {
    let (before, after) = (&line[..at], line[at + "unsafe".len()..].trim_start());
    let next = line[at + "unsafe".len()..].chars().next();
    let is_whole = !before.ends_with(is_word) && !next.is_some_and(is_word);
    let is_attribute = before.ends_with('[') && after.starts_with('(');
    // Its literal is blank here: `extern "C" fn(u32)`.
    let is_type = after
        .trim_start_matches("extern")
        .trim_start()
        .starts_with("fn(");
    is_whole && !is_attribute && !is_type
}

/// The comment on the line, or the nearest one before it in the same statement.
fn find_reason(lines: &[&str], code: &[&str], number: usize) -> Option<String> {
    if let Some((_, reason)) = lines[number].split_once("// SAFETY:") {
        return Some(reason.trim().to_owned());
    }
    let mut at = number;
    while at > 0 {
        at -= 1;
        if let Some(mark) = MARKS.into_iter().find(|mark| lines[at].contains(mark)) {
            return lines[at]
                .trim_start()
                .starts_with("//")
                .then(|| read_reason(lines, at, mark));
        }
        let statement = code[at].trim_end();
        let is_comment = statement.trim().is_empty() && !lines[at].trim().is_empty();
        let is_other_statement = statement.ends_with([';', '}']);
        if !is_comment && (is_other_statement || lines[at].trim().is_empty()) {
            return None;
        }
    }
    None
}

/// From the mark to the end of the comment.
fn read_reason(lines: &[&str], first: usize, mark: &str) -> String {
    let mut words = Vec::new();
    for (number, line) in lines[first..].iter().enumerate() {
        let Some(comment) = line.trim_start().strip_prefix("//") else {
            break;
        };
        let comment = comment.trim_start_matches('/');
        let reason = match number {
            0 => comment.split_once(mark).map_or("", |(_, reason)| reason),
            _ => comment,
        };
        words.extend(reason.split_whitespace());
    }
    words.join(" ")
}

#[test]
fn a_reason_is_for_one_statement() {
    let reasons = |text: &str| {
        let found = find_unsafe(text).into_iter();
        found.map(|it| it.reason).collect::<Vec<_>>()
    };
    let some = |reason: &str| Some(reason.to_owned());
    let two = "// SAFETY: it is\n// so.\nlet a = f(\n    unsafe { b() },\n);\nunsafe { c() }\n";
    assert_eq!(reasons(two), [some("it is so."), None]);
    assert_eq!(
        reasons("/// # Safety\n/// Never null.\npub unsafe fn f() {}"),
        [some("Never null.")]
    );
    assert_eq!(reasons("unsafe { a() } // SAFETY: so"), [some("so")]);
    assert_eq!(
        reasons("// unsafe { a() }\nlet b = \"unsafe { a() }\";"),
        []
    );
    assert_eq!(reasons("type F = unsafe extern \"C\" fn(u32);"), []);
    assert_eq!(reasons("unsafe extern \"C\" {"), [None]);
    assert_eq!(
        find_attributes("#[unsafe(link_section = \"x\")]"),
        ["link_section"]
    );
}
