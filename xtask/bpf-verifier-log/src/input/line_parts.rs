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
    while let Some((length, between)) = find_end(line, &rest) {
        let (part, after) = rest.split_at(length + between);
        let (part, _) = part.split_at(length);
        take(&part);
        rest = after;
    }
    take(&rest);
}

/// How long the next part is, and what is between it and the one after it.
fn find_end(whole: &InputLine<'_>, rest: &InputLine<'_>) -> Option<(usize, usize)> {
    find_break(rest.bytes).or_else(|| find_item_end(whole, rest))
}

/// `<br>`, `<br/>`, `<br />`
fn find_break(bytes: &[u8]) -> Option<(usize, usize)> {
    static BREAK: Needle = Needle::new("<br");
    let start = BREAK.find_in(bytes)?;
    let end = bytes[start..]
        .iter()
        .take(6)
        .position(|&byte| byte == b'>')?;
    Some((start, end + 1))
}

/// The end of an item of a list of strings: `", "` with or without the blank. The quotation mark
/// goes with the next one, which it begins.
fn find_item_end(whole: &InputLine<'_>, rest: &InputLine<'_>) -> Option<(usize, usize)> {
    static LIST: Needle = Needle::new("[\"");
    static ENDS: [Needle; 2] = [Needle::new("\", \""), Needle::new("\",\"")];
    let is_json = |byte: &u8| matches!(byte, b'{' | b'[');
    whole
        .bytes
        .trim_ascii_start()
        .first()
        .filter(|byte| is_json(byte))?;
    // Within the list, and not among the fields before it.
    let begin = LIST.find_in(whole.bytes)? as u64 + whole.place.start;
    let skipped = usize::try_from(begin.saturating_sub(rest.place.start)).ok()?;
    let bytes = rest.bytes.get(skipped..)?;
    let find = |end: &Needle| Some((end.find_in(bytes)?, end.find_end(bytes)?));
    let (start, end) = ENDS.iter().filter_map(find).min()?;
    (start > 0).then_some((skipped + start, end - start - 1))
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
