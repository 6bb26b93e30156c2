//! Words that must not come back: nobody in the field uses them, or the project has another for the
//! same thing. CONTRIBUTING lists what to say instead.

use std::path::Path;

use crate::files::{SourceFile, read_files};

/// A word, or several in a row, as they are written; other forms of a word are rows of their own.
const WORDS: [&str; 15] = [
    "anew",
    "mend",
    "mends",
    "mended",
    "mending",
    "folder",
    "folders",
    "kernel side",
    "kernel sides",
    "user side",
    "user sides",
    "furnish",
    "furnished",
    "for want of",
    "another at each",
];

/// What people read: texts, and the sources with their comments and names.
const FILES: [&str; 8] = [
    "*.md",
    "*.rs",
    "*.c",
    "*.h",
    "*.toml",
    "*.templates",
    "*.svg",
    "*.in",
];

/// `FILE:LINE: WORD` of each, in the files that git knows. The files that list the words are left
/// out.
pub fn unwanted_words(house: &Path) -> Vec<String> {
    let mut unwanted = Vec::new();
    for SourceFile { path, text } in read_files(house, &FILES) {
        if path == "CONTRIBUTING.md" || path.ends_with("house/words.rs") {
            continue;
        }
        for (number, line) in text.lines().enumerate() {
            // The end of a member, in a message of the verifier's.
            let line = line.replace("(mend:", "");
            for word in words_in(&line) {
                unwanted.push(format!("{path}:{}: {word}", number + 1));
            }
        }
    }
    unwanted
}

fn words_in(line: &str) -> Vec<&'static str> {
    let mut words: Vec<String> = Vec::new();
    for word in line.split(|character: char| !character.is_ascii_alphabetic() && character != '-') {
        if !word.is_empty() {
            words.push(word.to_lowercase());
        }
    }
    let text = format!(" {} ", words.join(" "));
    WORDS
        .into_iter()
        .filter(|word| text.contains(&format!(" {word} ")))
        .collect()
}

#[test]
fn whole_words_are_found_in_texts_and_in_names() {
    assert_eq!(
        words_in("let folder_of = the(Kernel Side);"),
        ["folder", "kernel side"]
    );
    assert_eq!(words_in("amend, recommended, newfolders"), [""; 0]);
}
