//! A message as the kernel's source has it: `invalid access to map value, value_size=%d off=%d
//! size=%d`.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::grammar::message_age::MessageAge;
use crate::grammar::words::{measure_number, measure_register};

/// What a message is good for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MessageRole {
    /// The reason of a rejection.
    Error,
    /// `~`: a second line that says more about the error beside it.
    Detail,
    /// `?`: printed for programs that load as well; the reason only where nothing else is.
    Decoy,
    /// No error at all.
    Noise,
    /// An error, and the table knows that nobody has explained it yet.
    Unexplained,
}

#[derive(Clone, Debug)]
enum TemplatePart {
    Literal(String),
    /// `%d`: digits, also hexadecimal, with or without sign.
    Number,
    /// `%s` and `%c`: anything, as little as fits.
    Text,
    /// `%r`: how the kernel names what is passed: `R1`, `arg#0`, `*(R11-8)`.
    Register,
}

/// What the messages below a heading of the tables are about.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Section {
    Class(Class),
    /// `[noise]`: no errors at all.
    Noise,
    /// `[unknown]`: errors that nobody has explained yet.
    Unexplained,
}

#[derive(Clone, Debug)]
pub struct MessageTemplate {
    /// `None` for what is no error, and for what nobody has explained yet.
    pub class: Option<Class>,
    pub role: MessageRole,
    /// `None` for what no kernel's image has, and where the images do not agree.
    pub age: Option<MessageAge>,
    parts: Vec<TemplatePart>,
}

impl MessageTemplate {
    pub fn parse_template(section: Section, line: &str) -> Self {
        let (class, role, format) = match section {
            Section::Noise => (None, MessageRole::Noise, line),
            Section::Unexplained => (None, MessageRole::Unexplained, line),
            Section::Class(class) => {
                let (role, format) = split_role(line);
                (Some(class), role, format)
            }
        };
        Self {
            class,
            role,
            age: None,
            parts: parse_parts(format),
        }
    }

    /// Says when the kernel prints it: `6.12-7.1`.
    pub fn with_age(self, age: Option<&'static str>) -> Self {
        Self {
            age: age.and_then(MessageAge::parse_age),
            ..self
        }
    }

    /// Whether `text` begins with this message; if so, how long it is.
    pub fn length_in(&self, text: &str) -> Option<usize> {
        fits(&self.parts, text).map(|rest| text.len() - rest.len())
    }

    /// How much of `text` is the beginning of this message, where it breaks off at the end of a
    /// word, and how much of that is fixed. Nothing, if the text goes on with other words.
    pub fn broken_off(&self, text: &str) -> (usize, usize) {
        let (mut rest, mut fixed) = (text, 0);
        for (at, part) in self.parts.iter().enumerate() {
            let length = match part {
                TemplatePart::Literal(literal) => common_length(literal, rest),
                TemplatePart::Number => measure_number(rest).unwrap_or(0),
                TemplatePart::Register => measure_register(rest).unwrap_or(0),
                TemplatePart::Text => text_length(self.parts.get(at + 1), rest),
            };
            rest = &rest[length..];
            if let TemplatePart::Literal(literal) = part
                && goes_on_otherwise(&literal[length..], rest)
            {
                return (0, 0);
            }
            let is_literal = matches!(part, TemplatePart::Literal(_));
            fixed += if is_literal { length } else { 0 };
            if length == 0
                || matches!(part, TemplatePart::Literal(literal) if literal.len() != length)
            {
                break;
            }
        }
        let fits = &text[..text.len() - rest.len()];
        let is_within_word =
            rest.starts_with(char::is_alphanumeric) && fits.ends_with(char::is_alphanumeric);
        let whole = if is_within_word {
            fits.rfind(' ').unwrap_or(0)
        } else {
            fits.trim_end().len()
        };
        (whole, fixed.saturating_sub(fits.len() - whole))
    }

    /// The more of a message is fixed, the surer a match.
    pub fn literal_length(&self) -> usize {
        let literal = |part: &TemplatePart| {
            if let TemplatePart::Literal(text) = part {
                text.len()
            } else {
                0
            }
        };
        self.parts.iter().map(literal).sum()
    }

    /// A template that begins with a register is looked up by what comes after.
    pub fn is_about_register(&self) -> bool {
        matches!(self.parts.first(), Some(TemplatePart::Register))
    }

    #[cfg(test)]
    pub fn parts(&self) -> &impl core::fmt::Debug {
        &self.parts
    }

    /// The first fixed text.
    pub fn first_literal(&self) -> &str {
        let literal = self.parts.iter().find_map(|part| match part {
            TemplatePart::Literal(text) => Some(text.as_str()),
            _ => None,
        });
        literal.unwrap_or_default()
    }
}

/// The mark that a line of the table begins with, and the rest.
fn split_role(line: &str) -> (MessageRole, &str) {
    if let Some(format) = line.strip_prefix("~ ") {
        (MessageRole::Detail, format)
    } else if let Some(format) = line.strip_prefix("? ") {
        (MessageRole::Decoy, format)
    } else {
        (MessageRole::Error, line)
    }
}

fn parse_parts(format: &str) -> Vec<TemplatePart> {
    let mut parts = Vec::new();
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        let part = match rest.as_bytes().get(at + 1) {
            Some(b'd') => TemplatePart::Number,
            Some(b's' | b'c') => TemplatePart::Text,
            Some(b'r') => TemplatePart::Register,
            _ => break,
        };
        if at > 0 {
            parts.push(TemplatePart::Literal(rest[..at].to_owned()));
        }
        parts.push(part);
        rest = &rest[at + 2..];
    }
    if !rest.is_empty() {
        parts.push(TemplatePart::Literal(rest.to_owned()));
    }
    parts
}

/// At the end of a word or within one, whether a word goes on or follows.
/// Whether a text goes on with other words than the message does.
fn goes_on_otherwise(message: &str, text: &str) -> bool {
    let is_sentence = message.starts_with(['.', ',', ':']);
    let goes_on = text
        .trim_start()
        .starts_with(|next: char| next.is_ascii_alphanumeric());
    // Who describes a message puts names into it: `invalid mem access '{kind}'`.
    (is_sentence && goes_on)
        || (begins_with_word(message) && begins_with_word(text))
        || text.starts_with(['{', '%'])
}

fn begins_with_word(text: &str) -> bool {
    let is_of_word = |letter: char| letter.is_alphanumeric() || letter == '_';
    text.trim_start().starts_with(is_of_word)
}

/// How long any text is that comes before a literal, of which the first word counts.
fn text_length(next: Option<&TemplatePart>, rest: &str) -> usize {
    let Some(TemplatePart::Literal(next)) = next else {
        return 0;
    };
    const LONGEST: usize = 40;
    let blanks = next.len() - next.trim_start().len();
    let word = next[blanks..].split(' ').next().unwrap_or_default();
    rest.find(&next[..blanks + word.len()])
        .filter(|&length| length <= LONGEST)
        .unwrap_or(0)
}

/// How long the common beginning of two texts is.
fn common_length(one: &str, other: &str) -> usize {
    let differ = |(a, b): ((usize, char), char)| if a.1 == b { None } else { Some(a.0) };
    let shorter = one.len().min(other.len());
    one.char_indices()
        .zip(other.chars())
        .find_map(differ)
        .unwrap_or(shorter)
}

/// What is left of `text` after all parts.
fn fits<'a>(parts: &[TemplatePart], text: &'a str) -> Option<&'a str> {
    let Some((part, others)) = parts.split_first() else {
        return Some(text);
    };
    match part {
        TemplatePart::Literal(literal) => fits(others, text.strip_prefix(literal.as_str())?),
        TemplatePart::Number => fits(others, &text[measure_number(text)?..]),
        TemplatePart::Register => fits(others, &text[measure_register(text)?..]),
        TemplatePart::Text => fits_after_text(others, text),
    }
}

fn fits_after_text<'a>(parts: &[TemplatePart], text: &'a str) -> Option<&'a str> {
    let Some(TemplatePart::Literal(literal)) = parts.first() else {
        // At the end of a message, or before a number: all that is left, or a word.
        return if parts.is_empty() {
            Some("")
        } else {
            fits(parts, text.trim_start_matches(char::is_alphabetic))
        };
    };
    // More tries cost time on hostile input and find nothing in real messages.
    const TRIES: usize = 8;
    text.match_indices(literal.as_str())
        .take(TRIES)
        .find_map(|(at, _)| fits(parts, &text[at..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(format: &str) -> MessageTemplate {
        MessageTemplate::parse_template(Section::Unexplained, format)
    }

    fn length(format: &str, text: &str) -> Option<usize> {
        parse(format).length_in(text)
    }

    #[test]
    fn literals_numbers_and_text() {
        let format = "invalid access to map value, value_size=%d off=%d size=%d";
        assert_eq!(
            length(
                format,
                "invalid access to map value, value_size=8 off=-1 size=4 (2 line(s))"
            ),
            Some(55)
        );
        assert_eq!(
            length(
                format,
                "invalid access to map value, value_size= off=-1 size=4"
            ),
            None
        );
        assert_eq!(
            length(
                "invalid%s read from stack %r off",
                "invalid read from stack R4 off"
            ),
            Some(30)
        );
        assert_eq!(
            length(
                "invalid%s read from stack %r off",
                "invalid indirect read from stack R4 off"
            ),
            Some(39)
        );
        assert_eq!(
            length("unknown func %s#%d", "unknown func bpf_x#5 y"),
            Some(20)
        );
        assert_eq!(
            length("%r type=%s expected=%s", "R1 type=fp expected=pkt"),
            Some(23)
        );
    }

    #[test]
    fn a_message_may_break_off() {
        let broken = |format: &str, text: &str| parse(format).broken_off(text);
        let format = "invalid access to map value, value_size=%d off=%d";
        assert_eq!(broken(format, "invalid access to map value\""), (27, 27));
        assert_eq!(broken(format, "invalid access to mapped files"), (0, 0));
        assert_eq!(broken(format, "invalid access to map that is"), (0, 0));
        assert_eq!(
            broken(format, "invalid access to map value, value_size=4 of"),
            (44, 43)
        );
        assert_eq!(broken(format, "something else"), (0, 0));
        assert_eq!(
            broken(
                "%r unbounded memory access, make sure",
                "R5 unbounded memory access é"
            ),
            (26, 24)
        );
        assert_eq!(
            broken(
                "misaligned %saccess off %s",
                "misaligned stack access off é"
            ),
            (27, 21)
        );
    }

    #[test]
    fn text_fits_as_little_as_it_can_but_fits() {
        assert_eq!(length("a %s b%d", "a x b y b7"), Some(10));
        assert_eq!(length("%s", "all"), Some(3));
    }
}
