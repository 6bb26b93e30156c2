//! A line of the input as clean text: what a copy, a terminal, JSON or a web page did to it is
//! undone, and nothing is left in it that could take over a terminal.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use alloc::borrow::Cow;

use crate::grammar::needle::Needle;
use crate::input::lines::LONGEST_LINE;

/// Whether this is no text at all. A log that was copied badly may have a few control characters.
pub fn is_binary(bytes: &[u8]) -> bool {
    let start = &bytes[..bytes.len().min(128)];
    let is_strange =
        |byte: &&u8| byte.is_ascii_control() && !matches!(byte, b'\t' | b'\r' | b'\x1b');
    let strange = start.iter().filter(is_strange).count();
    strange >= 3 && strange > start.len() / 16
}

/// The bytes of one line as text. `escaped`: it comes out of a quoted string, where `\"` means a
/// quotation mark.
pub fn clean_text(bytes: &[u8], escaped: bool) -> Cow<'_, str> {
    let bytes = &bytes[..bytes.len().min(LONGEST_LINE)];
    if bytes
        .iter()
        .all(|byte| matches!(byte, b' '..=b'~') && !matches!(byte, b'\\' | b'&'))
        && !is_mail_coded(bytes)
        && let Ok(text) = str::from_utf8(bytes)
    {
        return Cow::Borrowed(text.trim_end());
    }
    let text = String::from_utf8_lossy(bytes);
    let text = if escaped {
        unescape(&text)
    } else {
        text.into_owned()
    };
    let text = without_entities(&text);
    let text = without_mail_codes(&text);
    let text = without_colours(&text);
    Cow::Owned(
        text.chars()
            .filter_map(plain)
            .collect::<String>()
            .trim_end()
            .to_owned(),
    )
}

/// Undoes the escapes of JSON, Go, Rust and Python strings that are within a line.
fn unescape(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        plain.push_str(&rest[..at]);
        // In a string within a string, the backslashes are doubled.
        rest = rest[at..].trim_start_matches('\\');
        let (character, length) = escape(rest);
        plain.extend(character);
        rest = &rest[length..];
    }
    plain + rest
}

/// What the letters after a backslash mean, and how many bytes they take.
fn escape(letters: &str) -> (Option<char>, usize) {
    let coded = |skip: usize, digits: usize, radix: u32| {
        let code = letters
            .get(skip..skip + digits)
            .and_then(|code| u32::from_str_radix(code, radix).ok());
        code.and_then(char::from_u32)
            .map(|character| (Some(character), skip + digits))
    };
    let found = match letters.as_bytes().first() {
        Some(b't') => Some((Some('\t'), 1)),
        Some(b'r') => Some((None, 1)),
        Some(b'e') => Some((Some('\x1b'), 1)),
        Some(b'u') => coded(1, 4, 16),
        Some(b'x') => coded(1, 2, 16),
        Some(b'0') => coded(0, 3, 8),
        _ => None,
    };
    found.unwrap_or((None, 0))
}

/// The five characters that web pages write as names.
fn without_entities(text: &str) -> Cow<'_, str> {
    const NAMES: [(&str, &str); 7] = [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&#39;", "'"),
        ("&#x27;", "'"),
        ("&#34;", "\""),
        ("&amp;", "&"),
    ];
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    Cow::Owned(
        NAMES
            .iter()
            .fold(text.to_owned(), |text, (name, character)| {
                text.replace(name, character)
            }),
    )
}

/// Mail may write `=` as `=3D`, and other bytes in the same way. A log has an `=` in every line
/// that matters.
fn is_mail_coded(bytes: &[u8]) -> bool {
    static CODE: Needle = Needle::new("=3D");
    CODE.find_in(bytes).is_some()
}

fn without_mail_codes(text: &str) -> Cow<'_, str> {
    if !is_mail_coded(text.as_bytes()) {
        return Cow::Borrowed(text);
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('=') {
        bytes.extend_from_slice(&rest.as_bytes()[..at]);
        let code = rest
            .get(at + 1..at + 3)
            .and_then(|code| u8::from_str_radix(code, 16).ok());
        bytes.push(code.unwrap_or(b'='));
        rest = &rest[at + if code.is_some() { 3 } else { 1 }..];
    }
    bytes.extend_from_slice(rest.as_bytes());
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Takes out the sequences that colour a terminal or move its cursor.
fn without_colours(text: &str) -> Cow<'_, str> {
    if !text.contains('\x1b') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        match character {
            '\x1b' if characters.as_str().starts_with('[') => {
                characters
                    .by_ref()
                    .skip(1)
                    .find(|end| ('@'..='~').contains(end));
            }
            '\x1b' if characters.as_str().starts_with(']') => {
                characters.by_ref().find(|end| matches!(end, '\x07' | '\\'));
            }
            '\x1b' => {}
            _ => plain.push(character),
        }
    }
    Cow::Owned(plain)
}

/// The character as a terminal may have it; `None` for one that shows nothing.
fn plain(character: char) -> Option<char> {
    match character {
        '\t' | '\u{a0}' => Some(' '),
        '\r' | '\u{feff}' | '\u{200b}'..='\u{200d}' => None,
        // What word processors make of quotation marks.
        '\u{2018}' | '\u{2019}' => Some('\''),
        '\u{201c}' | '\u{201d}' => Some('"'),
        // These turn the direction of what follows.
        '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            Some('\u{fffd}')
        }
        '\u{2028}' | '\u{2029}' => Some('\u{fffd}'),
        _ if character.is_control() => Some('\u{fffd}'),
        _ => Some(character),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn plain_text_stays_as_it_is() {
        assert!(matches!(
            clean_text(b"R1 !read_ok  ", false),
            Cow::Borrowed("R1 !read_ok")
        ));
        assert_eq!(clean_text("; // 값".as_bytes(), false), "; // 값");
    }

    #[test]
    fn mail_is_decoded() {
        let line = b"> R2_w=3Dpkt(id=3D5)=C2=A0; R3=3D1";
        assert_eq!(clean_text(line, false), "> R2_w=pkt(id=5) ; R3=1");
        assert_eq!(
            clean_text(b"off=20 size=8", false),
            "off=20 size=8",
            "no mail"
        );
        assert_eq!(clean_text(b"off=3D14 a=", false), "off=14 a=");
        assert!(!clean_text(b"=3D=1B[31m", false).contains('\x1b'));
    }

    #[test]
    fn nothing_takes_over_a_terminal() {
        assert_eq!(
            clean_text(b"\x1b[31mR1\x1b[0m !read_ok\r", false),
            "R1 !read_ok"
        );
        assert_eq!(
            clean_text(b"\x1b]0;title\x07R1 !read_ok", false),
            "R1 !read_ok"
        );
        for bytes in [
            &b"\x1b"[..],
            b"\x9b31m",
            "\u{9b}31m".as_bytes(),
            b"\x07\x08\x7f",
            b"\xff\x1b\x1b[",
        ] {
            let text = clean_text(bytes, true);
            assert!(!text.chars().any(char::is_control), "{text:?}");
        }
        assert_eq!(clean_text("a\u{202e}b".as_bytes(), false), "a\u{fffd}b");
        assert_eq!(clean_text(br"a\u001b[2Jb\x1b[1m\u202e", true), "ab\u{fffd}");
    }

    #[test]
    fn quoted_text_is_unquoted() {
        assert_eq!(
            clean_text(br#"msg=\"R1 type=\u003cfp\u003e\""#, true),
            "msg=\"R1 type=<fp>\""
        );
        assert_eq!(clean_text(br#"\\\"a\\\t\"b"#, true), "\"a \"b");
        assert_eq!(clean_text(br"\", true), "");
        assert_eq!(clean_text(br"\u12", true), "u12");
        assert_eq!(
            clean_text(br"a\tb", false),
            r"a\tb",
            "a source line may have escapes"
        );
    }

    #[test]
    fn web_pages_and_word_processors_are_undone() {
        assert_eq!(
            clean_text(b"R1 invalid mem access &#39;scalar&#39;", false),
            "R1 invalid mem access 'scalar'"
        );
        assert_eq!(
            clean_text("R1 invalid mem access ‘inv’".as_bytes(), false),
            "R1 invalid mem access 'inv'"
        );
        assert_eq!(
            clean_text(b"if (a &amp;&amp; b &lt; c)", false),
            "if (a && b < c)"
        );
    }

    #[test]
    fn what_is_no_text_is_known() {
        assert!(is_binary(&[0; 100]));
        assert!(is_binary(b"\x7fELF\x02\x01\x01\0\0\0\0"));
        for text in [
            "",
            "R1 !read_ok",
            "\x1b[31mR1\x1b[0m !read_ok\r",
            "R1\x07 \x08!read_ok",
            "값\t값",
        ] {
            assert!(!is_binary(text.as_bytes()), "{text:?}");
        }
    }

    #[test]
    fn what_is_too_long_for_a_line_is_cut() {
        assert_eq!(clean_text(&vec![b'a'; 1 << 20], false).len(), LONGEST_LINE);
    }
}
