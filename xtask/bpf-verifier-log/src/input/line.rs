//! What a single line of a log is.

use alloc::vec::Vec;

use alloc::borrow::Cow;

use memchr::memchr2_iter;

use crate::grammar::needle::Needle;
use crate::grammar::table::{FoundMessage, MessageTable};
use crate::input::lines::InputLine;
use crate::input::payload::{find_payload, quoted};
use crate::input::text;
use crate::log::insn::{FoundInsn, Insn, find_insn};
use crate::log::state;

/// A line, sorted. The text borrows from the input where nothing had to be cleaned.
#[derive(Debug)]
pub struct LogLine<'a> {
    pub number: usize,
    pub text: Cow<'a, str>,
    pub kind: LineKind,
}

#[derive(Debug)]
pub enum LineKind {
    Blank,
    /// An instruction; what follows it (a state, an error) begins at `rest`.
    Insn {
        insn: Insn,
        rest: usize,
    },
    /// The verifier looks back to find what a value depends on: `regs=4 stack=0 before 20: (bf) r2
    /// = r1`.
    LookingBack,
    /// The registers at this point begin at `start`. `branch` of `from 12 to 15: R0=...`.
    State {
        start: usize,
        branch: Option<u32>,
    },
    /// `; return sk->port; @ prog.c:12`, from `start` to `end`.
    Source {
        start: usize,
        end: usize,
    },
    /// `processed 12 insns (limit 1000000) ...`
    Summary {
        processed: u64,
        /// The verifier gave up: that is more than it goes through.
        exceeded: bool,
        /// Where it begins: Linux 6.18 ends some messages without a new line.
        start: usize,
    },
    /// `Verification failed: Memory Safety: Access outside bounds`: the report of Linux 7.3 begins.
    Report {
        start: usize,
    },
    /// A loader begins to repeat a log.
    Begin,
    /// A loader has repeated the log.
    End,
    /// One or several known messages.
    Messages(Vec<FoundMessage>),
    Other,
}

/// A cheap look at the bytes of a line that is nothing but registers: ` R0=inv(id=0) ...` or `12:
/// R0=scalar() ...`.
pub fn is_plain_state(bytes: &[u8]) -> bool {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let rest = bytes[digits..]
        .strip_prefix(b":")
        .unwrap_or(&bytes[digits..]);
    let Some(name) = rest.strip_prefix(b" R") else {
        return false;
    };
    let length = name.iter().take_while(|byte| byte.is_ascii_digit()).count();
    length > 0 && matches!(name.get(length), Some(b'=' | b'_'))
}

/// The same for lines that only very detailed logs have, but those by the million.
pub fn is_plainly_looking_back(bytes: &[u8]) -> bool {
    bytes.starts_with(b"mark_precise: ") || bytes.starts_with(b"regs=")
}

impl<'a> LogLine<'a> {
    pub fn read_line(raw: &InputLine<'a>) -> Self {
        let text = text::clean_text(raw.bytes, raw.escaped);
        let mut kind = kind(&text);
        // The end of the string, and what follows it: `","caller":"load.go:12"}`.
        if matches!(kind, LineKind::Other) && raw.ends_string() {
            kind = LineKind::Blank;
        }
        Self {
            number: raw.number,
            text,
            kind,
        }
    }
}

fn kind(text: &str) -> LineKind {
    let trimmed = text.trim_start_matches(is_quotation);
    if trimmed.is_empty() {
        return LineKind::Blank;
    }
    if looks_back(text) {
        return LineKind::LookingBack;
    }
    if let Some(FoundInsn { insn, end: rest }) = find_insn(text) {
        return LineKind::Insn { insn, rest };
    }
    marker(text)
        .or_else(|| summary(text))
        .or_else(|| source(text))
        .or_else(|| state(text))
        .or_else(|| messages(text))
        .unwrap_or_else(|| other(trimmed))
}

fn other(text: &str) -> LineKind {
    if find_payload(text).is_empty() {
        LineKind::Blank
    } else {
        LineKind::Other
    }
}

/// How mail and terminals set off what they quote.
fn is_quotation(character: char) -> bool {
    matches!(character, ' ' | '>' | '|' | '`' | '"' | '\'')
}

fn looks_back(text: &str) -> bool {
    static MARKS: [Needle; 2] = [Needle::new("mark_precise: "), Needle::new("last_idx ")];
    static REGISTERS: Needle = Needle::new("regs=");
    MARKS.iter().any(|mark| mark.is_in(text))
        || (REGISTERS.is_in(text) && (text.contains(" before ") || text.contains("parent ")))
}

fn marker(text: &str) -> Option<LineKind> {
    static WORDS: [Needle; 2] = [Needle::new("LOG -"), Needle::new("Verif")];
    if !WORDS.iter().any(|word| word.is_in(text)) {
        return None;
    }
    if let Some(start) = text.find("Verification failed: ") {
        return Some(LineKind::Report { start });
    }
    if text.contains("BEGIN PROG LOAD LOG") || text.contains("-- BEGIN DUMP LOG") {
        return Some(LineKind::Begin);
    }
    if text.contains("END PROG LOAD LOG") || text.contains("-- END LOG --") {
        return Some(LineKind::End);
    }
    None
}

fn summary(text: &str) -> Option<LineKind> {
    static WORD: Needle = Needle::new("processed ");
    let start = WORD.find_in(text.as_bytes())?;
    let (number, rest) = text[start + 10..].split_once(' ')?;
    let is_summary =
        rest.starts_with("insns (limit") || (rest.starts_with("insns") && is_at_word(text, start));
    let processed = number.parse().ok().filter(|_| is_summary)?;
    let limit = rest
        .split_once("(limit ")
        .and_then(|(_, limit)| limit.split(')').next()?.parse::<u64>().ok());
    let exceeded = limit.map_or(EARLIER_LIMITS.contains(&processed), |limit| {
        processed > limit
    });
    Some(LineKind::Summary {
        processed,
        exceeded,
        start,
    })
}

/// Where kernels up to 5.1 stopped; they do not say their limit.
const EARLIER_LIMITS: [u64; 4] = [65_537, 98_305, 131_073, 1_000_001];

fn source(text: &str) -> Option<LineKind> {
    static AFTER_PREFIX: Needle = Needle::new(" ; ");
    let end = text.len();
    // Of a patch.
    let start = text.len() - text.strip_prefix(['+', '-']).unwrap_or(text).len();
    if text[start..].starts_with(';') {
        return Some(LineKind::Source { start, end });
    }
    if let Some(start) = find_quoted_source(text) {
        let end = start + measure_quoted_source(&text[start..]);
        return Some(LineKind::Source { start, end });
    }
    let start = AFTER_PREFIX.find_in(text.as_bytes())? + 1;
    Some(LineKind::Source { start, end })
}

/// Where the value of a field is a line of the source: `msg="; return 0; @ prog.c:12" level=info`.
fn find_quoted_source(text: &str) -> Option<usize> {
    static IN_QUOTES: Needle = Needle::new("\"; ");
    let mark = IN_QUOTES.find_in(text.as_bytes())?;
    let before = text[..mark].trim_end();
    let is_value = before.is_empty() || before.ends_with(['=', ':', '[', ',', '{']);
    is_value.then_some(mark + 1)
}

/// How long it is: up to the number of its line, or to the mark that ends the value.
fn measure_quoted_source(text: &str) -> usize {
    if let Some((code, place)) = text.rsplit_once(" @ ") {
        let name = place.find(['"', '\\', ' ']).unwrap_or(place.len());
        if place[..name].contains(':') {
            return code.len() + " @ ".len() + name;
        }
    }
    quoted(text).len()
}

fn state(text: &str) -> Option<LineKind> {
    let branch = branch(text);
    let start = memchr2_iter(b'R', b'f', text.as_bytes())
        .find(|&at| is_at_word(text, at) && state::starts_with_state(&text[at..]));
    match (start, branch) {
        (Some(start), _) => Some(LineKind::State { start, branch }),
        // `from 12 to 15: safe`
        (None, Some(_)) => Some(LineKind::State {
            start: text.len(),
            branch,
        }),
        (None, None) => is_frame_heading(text).then_some(LineKind::State {
            start: text.len(),
            branch: None,
        }),
    }
}

/// The instruction that the verifier comes from: 12 in `from 12 to 15: R0=...`.
fn branch(text: &str) -> Option<u32> {
    static WORD: Needle = Needle::new("from ");
    let at = WORD
        .find_in(text.as_bytes())
        .filter(|&at| is_at_word(text, at))?;
    let (from, rest) = text[at + 5..].split_once(" to ")?;
    let to = rest.split([':', ' ']).next()?;
    to.parse::<u32>().ok()?;
    from.parse().ok()
}

/// Between a call and the function's own lines, and where a path ends that need not be walked again
/// (`12: safe`).
fn is_frame_heading(text: &str) -> bool {
    let text = text.trim();
    matches!(
        text,
        "caller:" | "callee:" | "returning from callee:" | "cur state:" | "old state:"
    ) || text.starts_with("to caller at ")
        || text
            .strip_suffix(": safe")
            .is_some_and(|pc| pc.bytes().all(|byte| byte.is_ascii_digit()))
}

fn messages(text: &str) -> Option<LineKind> {
    let found = MessageTable::get_table().all_in(text);
    (!found.is_empty()).then_some(LineKind::Messages(found))
}

fn is_at_word(text: &str, at: usize) -> bool {
    text[..at]
        .chars()
        .next_back()
        .is_none_or(|before| matches!(before, ' ' | '"' | '`' | ':' | '=' | '>' | '\''))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::borrow::ToOwned;
    use alloc::format;
    use alloc::string::String;

    fn kind_of(text: &str) -> String {
        format!("{:?}", kind(text))
            .split([' ', '(', '{'])
            .next()
            .unwrap()
            .to_owned()
    }

    #[test]
    fn lines_of_every_kind() {
        for (text, expected) in [
            ("", "Blank"),
            ("> ", "Blank"),
            ("0: (bf) r6 = r1", "Insn"),
            ("libbpf: 12: (69) r1 = *(u16 *)(r1 +12)", "Insn"),
            ("regs=4 stack=0 before 13: (b7) r2 = 48", "LookingBack"),
            (
                "mark_precise: frame0: parent state regs=r8 stack=:  R0=1 R10=fp0",
                "LookingBack",
            ),
            ("parent didn't have regs=80 stack=0 marks", "LookingBack"),
            ("0: R1=ctx() R10=fp0", "State"),
            (" R0_w=inv(id=0) R10=fp0", "State"),
            ("from 12 to 15: R0=0 R10=fp0", "State"),
            ("from 12 to 15: safe", "State"),
            ("returning from callee:", "State"),
            ("; return sk->port; @ prog.c:12", "Source"),
            ("stderr F ; int x;", "Source"),
            ("+; int x;", "Source"),
            ("level=info msg=\"; int x;\" a=b", "Source"),
            ("{\"msg\": \"; int x; @ a.c:1\", \"n\": 7}", "Source"),
            ("it says \"; int x;\"", "Other"),
            (
                "processed 12 insns (limit 1000000) max_states_per_insn 0",
                "Summary",
            ),
            ("libbpf: prog 'x': -- BEGIN PROG LOAD LOG --", "Begin"),
            ("-- END PROG LOAD LOG --", "End"),
            (
                "Verification failed: Memory Safety: Access outside bounds",
                "Report",
            ),
            ("R2 !read_ok", "Messages"),
            ("hello", "Other"),
            ("it was processed today", "Other"),
            ("I come from Oslo to Rome", "Other"),
        ] {
            assert_eq!(kind_of(text), expected, "{text}");
        }
    }

    #[test]
    fn plain_states_are_known_without_reading_them() {
        for text in [" R0=inv(id=0) R10=fp0", "12: R0_w=scalar()", " R10=fp0"] {
            assert!(is_plain_state(text.as_bytes()), "{text}");
        }
        for text in [
            "R0 !read_ok",
            "12: (bf) r1 = r2",
            " R0 !read_ok",
            "",
            "12",
            " R=",
            "from 1 to 2: R0=1",
        ] {
            assert!(!is_plain_state(text.as_bytes()), "{text}");
        }
    }
}
