//! The log of the kernel's check of an object's types:
//!
//! ```text
//! magic: 0xeb9f
//! version: 1
//! flags: 0x0
//! hdr_len: 24
//! [1] INT int size=4 bits_offset=0 nr_bits=32 encoding=SIGNED
//! [2] STRUCT pair size=8 vlen=2
//!     first type_id=1 bits_offset=0
//!     second type_id=9 bits_offset=32 Invalid type_id
//! ```
//!
//! Its last line ends with the reason, if there is one.

use alloc::borrow::ToOwned;
use alloc::vec::Vec;

use memchr::memchr;

use crate::grammar::btf_line::TYPE_KINDS;
use crate::grammar::needle::Needle;
use crate::log::message::LogMessage;

/// What the log says at its end.
#[derive(Clone, Debug, Default)]
pub struct BtfLog {
    /// The last line about a type, and the last about a member of it.
    type_line: Option<LogMessage>,
    member: Option<LogMessage>,
    /// A line without a type: `Invalid section offset`.
    plain: Option<LogMessage>,
}

impl BtfLog {
    /// Takes a line; false if it is none of this log.
    pub fn take_line(&mut self, number: usize, text: &str) -> bool {
        let message = |text: &str| {
            Some(LogMessage {
                line: number,
                text: text.trim_end_matches(is_of_string).trim().to_owned(),
            })
        };
        if let Some(start) = find_type(text) {
            self.type_line = message(&text[start..]);
            self.member = None;
            return true;
        }
        let trimmed = text.trim();
        if is_of_header(trimmed) || trimmed.is_empty() {
            return true;
        }
        let about_member = [" type_id=", " val=", " bits_offset="];
        if self.type_line.is_some() && about_member.iter().any(|word| text.contains(word)) {
            self.member = message(text);
            return true;
        }
        let reason = BARE_REASONS
            .iter()
            .find(|reason| trimmed.ends_with(*reason));
        if let Some(reason) = reason {
            self.plain = message(reason);
        }
        reason.is_some()
    }

    /// The decisive line first; empty if no line gives a reason.
    pub fn decisive_lines(&self) -> Vec<LogMessage> {
        if let Some(plain) = &self.plain {
            return [plain.clone()].into();
        }
        match (&self.type_line, &self.member) {
            (Some(about), Some(member)) if has_reason(&member.text) => {
                [member.clone(), about.clone()].into()
            }
            (Some(about), None) if has_reason(&about.text) => [about.clone()].into(),
            _ => Vec::new(),
        }
    }
}

/// What may end the string that a log is in.
fn is_of_string(letter: char) -> bool {
    matches!(letter, '"' | '}' | '\\' | ',' | ' ')
}

/// Whether a line begins such a log.
pub fn begins_btf_log(text: &str) -> bool {
    static MAGIC: Needle = Needle::new("magic: 0x");
    MAGIC.is_in(text) && (text.contains("magic: 0xeb9f") || text.contains("magic: 0x9feb"))
}

/// Where `[12] STRUCT pair size=8 vlen=2` begins in a line.
pub fn find_type(text: &str) -> Option<usize> {
    memchr(b'[', text.as_bytes())?;
    for (end, _) in text.match_indices("] ") {
        let digits = text[..end].bytes().rev().take_while(u8::is_ascii_digit);
        let open = end - digits.count();
        let kind = text[end + 2..].split([' ', ':']).next().unwrap_or_default();
        let is_known = TYPE_KINDS.contains(&kind) || kind == INVALID;
        if open < end && text[..open].ends_with('[') && is_known {
            return Some(open - 1);
        }
    }
    None
}

/// `[12] Invalid kind:20`
const INVALID: &str = "Invalid";

fn is_of_header(text: &str) -> bool {
    const FIELDS: [&str; 11] = [
        "magic: ",
        "version: ",
        "flags: ",
        "hdr_len: ",
        "type_off: ",
        "type_len: ",
        "str_off: ",
        "str_len: ",
        "layout_off: ",
        "layout_len: ",
        "btf_total_size: ",
    ];
    FIELDS.iter().any(|field| text.contains(field))
}

/// What the kernel prints without a type.
const BARE_REASONS: [&str; 18] = [
    "hdr_len not found",
    "Unsupported btf_header",
    "btf_header not found",
    "Invalid magic",
    "Unsupported version",
    "Unsupported flags",
    "No data",
    "Unaligned type_off",
    "No type found",
    "String section is not at the end",
    "Invalid string section",
    "Invalid section offset",
    "Section overlap found",
    "Unsupported section found",
    "Total section length too long",
    "Unknown type",
    "Loop detected",
    "Array size overflows U32_MAX",
];

/// Whether words follow the fields of a line about a type: `... size=4 vlen=2 Invalid name`.
fn has_reason(text: &str) -> bool {
    let mut after = text.split(' ').rev().take_while(|word| !is_field(word));
    // A line without fields ends with a name, or with what it is.
    let has_fields = text.split(' ').any(is_field) || text.split(' ').nth(1) == Some(INVALID);
    has_fields && after.any(|word| word.chars().all(char::is_alphabetic) && word.len() > 1)
}

/// `size=4`, but not `!=`
fn is_field(word: &str) -> bool {
    let Some((name, value)) = word.split_once('=') else {
        return false;
    };
    let is_name = name
        .bytes()
        .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    !name.is_empty() && is_name && !value.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    fn decisive(log: &str) -> Vec<String> {
        let mut btf = BtfLog::default();
        for (line, number) in log.lines().zip(1..) {
            assert!(btf.take_line(number, line), "{line}");
        }
        let lines = btf.decisive_lines().into_iter();
        lines.map(|line| line.text).collect()
    }

    const HEADER: &str = "magic: 0xeb9f\nversion: 1\nflags: 0x0\nhdr_len: 24\ntype_off: 0\n";

    #[test]
    fn the_last_line_is_the_reason() {
        for (last, reason) in [
            (
                "[3] STRUCT Pair<u8, u16> size=4 vlen=2 Invalid name",
                Some("[3] STRUCT Pair<u8, u16> size=4 vlen=2 Invalid name"),
            ),
            ("[3] STRUCT pair size=4 vlen=2", None),
            ("[3] Invalid kind:20", Some("[3] Invalid kind:20")),
            (
                "[4] FUNC main type_id=3 vlen != 0",
                Some("[4] FUNC main type_id=3 vlen != 0"),
            ),
            ("Invalid section offset", Some("Invalid section offset")),
        ] {
            let log = [
                HEADER,
                "[1] INT int size=4 bits_offset=0 nr_bits=32\n",
                last,
            ]
            .concat();
            let lines = decisive(&log);
            assert_eq!(lines.first().map(String::as_str), reason, "{last}");
        }
    }

    #[test]
    fn a_member_comes_with_its_type() {
        let log = "[1] STRUCT pair size=8 vlen=2\n\tfirst type_id=1 bits_offset=0\n\
                   \tsecond type_id=9 bits_offset=32 Invalid type_id\n";
        assert_eq!(
            decisive(log),
            [
                "second type_id=9 bits_offset=32 Invalid type_id",
                "[1] STRUCT pair size=8 vlen=2"
            ]
        );
    }

    #[test]
    fn other_lines_are_not_of_the_log() {
        let mut btf = BtfLog::default();
        for line in ["hello", "0: (95) exit", "[x] INT", "[1] int", "] STRUCT"] {
            assert!(!btf.take_line(1, line), "{line}");
        }
        assert!(begins_btf_log("libbpf: magic: 0xeb9f") && !begins_btf_log("magic: 0x1"));
    }
}
