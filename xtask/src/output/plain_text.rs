//! Texts of strangers, without what a terminal would obey.
//!
//! Names in object files and whatever a guest says may hold any character. Some move the cursor,
//! change what is on the screen already, or turn the direction in which text is read.

use std::borrow::Cow;
use std::fmt::Write as _;

/// The text with U+FFFD in place of such characters. Lines and tabs stay.
pub fn clean_lines(text: &str) -> Cow<'_, str> {
    if !text.contains(is_obeyed) {
        return Cow::Borrowed(text);
    }
    let shown = |character| match character {
        '\r' => None,
        _ if is_obeyed(character) => Some(char::REPLACEMENT_CHARACTER),
        _ => Some(character),
    };
    Cow::Owned(text.chars().filter_map(shown).collect())
}

/// JSON with such characters as escapes, of the same meaning. Within JSON they can only be in
/// strings; `serde_json` escapes no more than JSON demands.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    if !json.contains(is_obeyed) {
        return Cow::Borrowed(json);
    }
    let mut clean = String::with_capacity(json.len());
    for character in json.chars() {
        if is_obeyed(character) {
            // All of them are in the first plane, so that four digits do. A `String` takes all.
            let _ = write!(clean, "\\u{:04x}", u32::from(character));
        } else {
            clean.push(character);
        }
    }
    Cow::Owned(clean)
}

fn is_obeyed(character: char) -> bool {
    match character {
        '\n' | '\t' => false,
        // These turn the direction of what follows, or end a line in some programs.
        '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        // No characters at all; XML forbids them.
        '\u{fffe}' | '\u{ffff}' => true,
        _ => character.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOSTILE: &str = "a\u{1b}[2Jb\u{9b}1mc\u{7f}\r\n\td\u{202e}e\0\u{ffff}";

    #[test]
    fn nothing_is_left_that_a_terminal_obeys() {
        assert_eq!(
            clean_lines(HOSTILE),
            "a\u{fffd}[2Jb\u{fffd}1mc\u{fffd}\n\td\u{fffd}e\u{fffd}\u{fffd}"
        );
        assert!(matches!(clean_lines("ünïcode\n\t✓"), Cow::Borrowed(_)));
    }

    #[test]
    fn json_means_the_same() {
        let json = serde_json::to_string(&[HOSTILE]).unwrap();
        let clean = clean_json(&json);
        assert!(!clean.contains(is_obeyed), "{clean:?}");
        let back: Vec<String> = serde_json::from_str(&clean).unwrap();
        assert_eq!(back, [HOSTILE]);
        let pretty = "{\n\t\"a\": 1\n}\n";
        assert!(matches!(clean_json(pretty), Cow::Borrowed(_)));
    }
}
