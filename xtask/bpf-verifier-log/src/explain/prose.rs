//! Messages of the verifier in running text: mail, comments, notes. They break off, or go on in the
//! next line.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use memchr::memmem;

use crate::grammar::table::{FoundMessage, MessageTable};
use crate::grammar::template::MessageRole;
use crate::grammar::words::find_word_starts;
use crate::input::line::LogLine;
use crate::input::lines::{InputLine, LineReader};
use crate::input::program_log::MessageLine;

/// Enough for what a person writes; a log that is longer says what it says without this.
const LONGEST: usize = 256 * 1024;

/// The beginning and the end of a text that comes in pieces.
#[derive(Debug, Default)]
pub struct TextSample {
    begin: Vec<u8>,
    /// The last bytes, after some that do not count any more.
    end: Vec<u8>,
}

impl TextSample {
    pub fn push_text(&mut self, piece: &[u8]) {
        let room = LONGEST - self.begin.len();
        self.begin
            .extend_from_slice(&piece[..piece.len().min(room)]);
        self.end
            .extend_from_slice(&piece[piece.len().saturating_sub(LONGEST)..]);
        // To move the bytes is cheap where it is rare.
        if self.end.len() > 4 * LONGEST {
            self.end.drain(..self.end.len() - LONGEST);
        }
    }

    /// Whether the text is about BPF at all: other programs print `unknown opcode 4` as well.
    pub fn is_about_bpf(&self) -> bool {
        self.parts().into_iter().any(has_word_of_bpf)
    }

    /// What is kept; the parts of a short text overlap.
    pub fn parts(&self) -> [&[u8]; 2] {
        [
            &self.begin,
            &self.end[self.end.len().saturating_sub(LONGEST)..],
        ]
    }
}

fn has_word_of_bpf(text: &[u8]) -> bool {
    const WORDS: [&str; 11] = [
        "bpf",
        "BPF",
        "erifier",
        "XDP",
        "xdp",
        "insn",
        "probe",
        "tracepoint",
        "BTF",
        "CO-RE",
        "type_id=",
    ];
    WORDS
        .iter()
        .any(|word| memmem::find(text, word.as_bytes()).is_some())
}

/// A message that no other program prints, also where nothing else in the text is about BPF.
pub fn is_unmistakable(found: &FoundMessage) -> bool {
    const LONG: usize = 24;
    found.template.is_about_register() || found.template.literal_length() >= LONG
}

/// The first message that a line breaks off in, or that two lines hold together.
pub fn find_prose_message(sample: &TextSample) -> Option<MessageLine> {
    let about_bpf = sample.is_about_bpf();
    let mut before = String::new();
    let mut first = None;
    let mut take = |raw: &InputLine<'_>| {
        if first.is_none() {
            let line = LogLine::read_line(raw);
            let text = without_margin(&line.text);
            first = find_in_prose(&before, text, raw.number, about_bpf);
            before = text.to_owned();
        }
    };
    let mut lines = LineReader::default();
    lines.push_bytes(&sample.begin, &mut take);
    lines.finish_lines(&mut take);
    first
}

/// A message in a line of running text and the one before.
fn find_in_prose(before: &str, text: &str, number: usize, about_bpf: bool) -> Option<MessageLine> {
    let joined = format!("{before} {text}");
    if let Some(found) = find_across(&joined, before.len())
        && (about_bpf || is_unmistakable(&found))
    {
        return Some(MessageLine {
            line: number.saturating_sub(1),
            text: joined,
            found: vec![found],
        });
    }
    let found = find_broken_off(text).filter(|_| about_bpf)?;
    Some(MessageLine {
        line: number,
        text: text[..found.end].to_owned(),
        found: vec![found],
    })
}

/// A line without what sets it off: quotation marks of mail, the beginning of a comment, of a
/// patch.
pub fn without_margin(line: &str) -> &str {
    line.trim_matches(|character: char| {
        matches!(character, ' ' | '>' | '|' | '+' | '*' | '/' | '#' | '\\')
    })
}

/// A message that begins in one line and ends in the next; the first ends at `junction`.
fn find_across(joined: &str, junction: usize) -> Option<FoundMessage> {
    let mut found = MessageTable::get_table().all_in(joined).into_iter();
    found.find(|found| {
        let is_across = found.start < junction && found.end > junction + 1;
        is_across && found.from_kernel && found.message_role() == MessageRole::Error
    })
}

/// A message of which the text has only the beginning.
fn find_broken_off(text: &str) -> Option<FoundMessage> {
    for start in find_word_starts(text) {
        if let Some((template, length)) = MessageTable::get_table().broken_off(&text[start..]) {
            return Some(FoundMessage {
                template,
                start,
                end: start + length,
                from_kernel: true,
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::classes::Class;

    fn sample(text: &str) -> TextSample {
        let mut sample = TextSample::default();
        sample.push_text(text.as_bytes());
        sample
    }

    fn class(text: &str) -> Option<Class> {
        find_prose_message(&sample(text))?.found[0].template.class
    }

    #[test]
    fn messages_go_on_in_the_next_line() {
        let mail = "> bpf: load program: program of this\n> type cannot use helper bpf_x#46\n";
        assert_eq!(class(mail), Some(Class::HelperNotAllowed));
        let comment =
            " * rejected (\"R6\n * pointer arithmetic on map_value_or_null prohibited\").";
        assert_eq!(class(comment), Some(Class::PtrArithProhibited));
        assert_eq!(
            class("Unreleased \nreference id=3 alloc_insn=10"),
            Some(Class::UnreleasedRef)
        );
    }

    #[test]
    fn messages_break_off() {
        assert_eq!(
            class("the verifier says \"misaligned stack access off\" here"),
            Some(Class::Misaligned)
        );
        assert_eq!(
            class("BPF: `R5 unbounded memory access`"),
            None,
            "it goes on in two ways"
        );
        assert_eq!(
            class("// BPF: invalid indirect read from stack R3 off\n// -56+16"),
            Some(Class::UninitStack)
        );
    }

    #[test]
    fn plain_english_is_no_message() {
        assert_eq!(
            class("misaligned stack access off"),
            None,
            "not said to be about BPF"
        );
        for text in [
            "The verifier does not allow invalid access.",
            "a BPF program of this type\nwould not load",
            "BPF: the program is too large for this page",
            "BPF program is too large for what the verifier may take",
            "the sequence of BPF events",
            "",
        ] {
            assert_eq!(class(text), None, "{text}");
        }
        assert!(sample("a BPF program").is_about_bpf());
        assert!(!sample("unknown opcode 4").is_about_bpf());
    }
}
