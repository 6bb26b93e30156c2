//! The page "What changed": its messages were printed, and by a file that is there.

use std::fs;

use checkout::workspace::workspace_root;

const PAGE: &str = "book/src/reference/changes.md";
const DIRECTORY: &str = "book/changes";

/// Without line ends and what a terminal adds to them.
fn words(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The code in the first cell of each row of a table that begins with "you see".
fn messages_of_page(page: &str) -> Vec<String> {
    let mut messages = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        in_table = line.starts_with("| you see |") || in_table && line.starts_with('|');
        let cell = line.trim_start_matches("| ").split(" | ").next();
        let (true, Some(cell)) = (in_table && !line.starts_with("| you see"), cell) else {
            continue;
        };
        messages.extend(code_spans(cell).into_iter().map(|code| words(&code)));
    }
    messages
}

/// What is between backticks, one or two.
fn code_spans(text: &str) -> Vec<String> {
    let mut spans = Vec::new();
    let mut rest = text;
    while let Some(begin) = rest.find('`') {
        let inside = rest[begin..].trim_start_matches('`');
        let fence = "`".repeat(rest.len() - begin - inside.len());
        let Some((span, after)) = inside.split_once(&fence) else {
            panic!("{text}: a backtick too many");
        };
        spans.push(span.to_owned());
        rest = after;
    }
    spans
}

#[test]
fn every_message_of_the_page_was_printed() {
    let page = fs::read_to_string(workspace_root().join(PAGE)).unwrap();
    let mut printed = String::new();
    for file in fs::read_dir(workspace_root().join(DIRECTORY).join("messages")).unwrap() {
        printed += &fs::read_to_string(file.unwrap().path()).unwrap();
    }
    let printed = words(&printed);
    let messages = messages_of_page(&page);
    assert!(messages.len() > 40, "{PAGE} has few messages");
    let missing: Vec<&String> = messages
        .iter()
        .filter(|message| !printed.contains(*message))
        .collect();
    assert!(
        missing.is_empty(),
        "{DIRECTORY}/capture.sh did not print: {missing:#?}"
    );
}

#[test]
fn every_old_form_has_its_messages() {
    for part in ["aya", "aya-ebpf", "libbpf-rs"] {
        let directory = workspace_root().join(DIRECTORY);
        let messages = directory.join(format!("messages/{}.txt", part.replace('-', "_")));
        let messages = fs::read_to_string(messages).unwrap();
        for file in fs::read_dir(directory.join("old").join(part)).unwrap() {
            let path = file.unwrap().path();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            let has = messages.contains(&format!("=== {name}: "));
            assert!(has || path.is_dir(), "{name} of {part} was not compiled");
        }
    }
}
