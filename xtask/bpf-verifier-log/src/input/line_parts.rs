//! Several lines of a log in one line of the input, other than with `\n`: a list of JSON on one
//! line, and a web page's source.
//!
//! ```text
//! {"log": ["0: (bf) r0 = r2", "R2 !read_ok"], "level": "error"}
//! <p>0: (bf) r0 = r2<br>R2 !read_ok<br></p>
//! ```

use crate::grammar::needle::Needle;
use crate::input::lines::InputLine;

/// Hands out the lines that a line holds: itself, if it is one.
pub fn split_line_parts(line: &InputLine<'_>, take: &mut impl FnMut(&InputLine<'_>)) {
    let mut rest = *line;
    while let Some((length, between)) = find_break(rest.bytes) {
        rest = take_part(&rest, length, between, take);
    }
    if let Some(list) = find_list(line) {
        while let Some((length, between)) = find_item_end(&rest, list) {
            rest = take_part(&rest, length, between, take);
        }
    }
    take(&rest);
}

/// Hands out the beginning of a line, and returns what comes `between` bytes after it.
fn take_part<'a>(
    line: &InputLine<'a>,
    length: usize,
    between: usize,
    take: &mut impl FnMut(&InputLine<'_>),
) -> InputLine<'a> {
    let (part, after) = line.split_at(length + between);
    take(&part.split_at(length).0);
    after
}

/// How long a line is before `<br>`, `<br/>` or `<br />`, and how long that is.
fn find_break(bytes: &[u8]) -> Option<(usize, usize)> {
    static BREAK: Needle = Needle::new("<br");
    let start = BREAK.find_in(bytes)?;
    let end = bytes[start..]
        .iter()
        .take(6)
        .position(|&byte| byte == b'>')?;
    Some((start, end + 1))
}

/// Where in the text the list of strings begins that a line of JSON has.
fn find_list(line: &InputLine<'_>) -> Option<u64> {
    static LIST: Needle = Needle::new("[\"");
    let is_json = |byte: &&u8| matches!(byte, b'{' | b'[');
    line.bytes.trim_ascii_start().first().filter(is_json)?;
    Some(LIST.find_in(line.bytes)? as u64 + line.place.start)
}

/// The end of an item of a list of strings: `", "` with or without the blank. The quotation mark
/// goes with the next one, which it begins. `list`: the fields before the list have no items.
fn find_item_end(rest: &InputLine<'_>, list: u64) -> Option<(usize, usize)> {
    static END: Needle = Needle::new("\",");
    let skipped = usize::try_from(list.saturating_sub(rest.place.start)).ok()?;
    let mut at = skipped;
    loop {
        let start = at + END.find_in(rest.bytes.get(at..)?)?;
        let after = &rest.bytes[start + 2..];
        let blanks = usize::from(after.starts_with(b" "));
        if after[blanks..].starts_with(b"\"") {
            return (start > skipped).then_some((start, 2 + blanks));
        }
        at = start + 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec::Vec;

    fn parts(text: &str) -> Vec<String> {
        let mut parts = Vec::new();
        let mut end = 0;
        split_line_parts(&InputLine::from_text(text), &mut |part| {
            let place = part.place;
            assert!(place.start >= end, "{text}");
            end = place.start + part.bytes.len() as u64;
            let text = &text.as_bytes()[place.start as usize..end as usize];
            assert_eq!(text, part.bytes);
            parts.push(String::from_utf8_lossy(text).to_string());
        });
        parts
    }

    #[test]
    fn lists_and_web_pages_have_lines() {
        assert_eq!(
            parts(r#"{"a": "b", "log": ["0: x", "; y", "1: z"], "c": 1}"#),
            [
                r#"{"a": "b", "log": ["0: x"#,
                r#""; y"#,
                r#""1: z"], "c": 1}"#
            ]
        );
        assert_eq!(parts(r#"["a","b"]"#), [r#"["a"#, r#""b"]"#]);
        assert_eq!(
            parts("<p>a<br>b<br />c<br/></p>"),
            ["<p>a", "b", "c", "</p>"]
        );
    }

    #[test]
    fn other_lines_are_one() {
        for text in [
            "",
            "a",
            r#"{"a": "b", "c": "d"}"#,
            r#"; x = ["a", "b"]"#,
            "if (a <br_max)",
        ] {
            assert_eq!(parts(text), [text]);
        }
    }
}
