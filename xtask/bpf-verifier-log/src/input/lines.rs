//! The lines of a text that comes in pieces, also where a program wrote them into one line as `\n`.
//!
//! ```text
//!   bytes ──► TextDecoder ──► LineReader ──► InputLine ──► LogLine::read_line
//!             (encoding)      (this file)    raw, with     clean, and what it is
//!                                            its place     (line)
//! ```

use alloc::vec::Vec;

use memchr::{memchr2, memchr3};

/// The kernel's own lines have at most a few kilobytes. What is longer is no line of a log, and is
/// cut.
pub const LONGEST_LINE: usize = 16 * 1024;

/// One line of the input.
#[derive(Clone, Copy, Debug)]
pub struct InputLine<'a> {
    /// The number of the input's line that it is in, counted from 1.
    pub number: usize,
    /// At most [`LONGEST_LINE`] of them.
    pub bytes: &'a [u8],
    /// It comes out of a quoted string.
    pub escaped: bool,
    pub place: LinePlace,
}

/// Where in the decoded text a line is, to come back to it.
#[derive(Clone, Copy, Debug, Default)]
pub struct LinePlace {
    /// Offset of its first byte.
    pub start: u64,
    /// Offset after its last byte.
    pub end: u64,
    /// The number of the input's line that is over where this one begins.
    above: usize,
    /// Within a line that holds several: how many backslashes an `n` has that ends a line.
    quoted: Option<usize>,
    /// What comes before it in the line is not looked at.
    is_rest: bool,
    /// The text above has a line feed: a carriage return alone ends no line in such a text.
    has_feeds: bool,
}

impl LinePlace {
    /// The number of the line before; within a line that holds several, of that line.
    pub fn line_before(&self) -> usize {
        self.above
    }

    pub fn is_quoted(&self) -> bool {
        self.quoted.is_some()
    }
}

impl<'a> InputLine<'a> {
    /// The line as two.
    pub fn split_at(&self, middle: usize) -> (Self, Self) {
        let (first, rest) = self.bytes.split_at(middle);
        let (mut first, mut rest) = (
            Self {
                bytes: first,
                ..*self
            },
            Self {
                bytes: rest,
                ..*self
            },
        );
        first.place.end = first.place.start + middle as u64;
        rest.place.start = first.place.end;
        rest.place.is_rest = true;
        (first, rest)
    }

    /// Whether it begins with the quotation mark that ends the string which it is in.
    pub fn ends_string(&self) -> bool {
        let slashes = self.bytes.iter().take_while(|&&byte| byte == b'\\').count();
        let is_mark = self.bytes.get(slashes) == Some(&b'"');
        is_mark && self.place.quoted.is_some_and(|ends| slashes < ends)
    }

    /// A line without a text around it.
    #[cfg(test)]
    pub fn from_text(text: &'a str) -> Self {
        Self {
            number: 1,
            bytes: text.as_bytes(),
            escaped: false,
            place: LinePlace::default(),
        }
    }
}

/// Cuts a text into lines. It holds no more than one line, whatever comes.
#[derive(Debug, Default)]
pub struct LineReader {
    /// Of the line that is being read; its end is not known yet.
    place: LinePlace,
    /// The beginning of that line, where it came in an earlier piece.
    partial: Vec<u8>,
    /// How long that line is so far, with what was cut.
    length: usize,
    /// With how many backslashes it ends so far.
    slashes: usize,
    /// Whether `\n` is text in this line of the input; `None` while it has none.
    is_source: Option<bool>,
    /// The last byte so far is a carriage return that may end the line.
    has_return: bool,
}

impl LineReader {
    /// Goes on in the decoded text where a line began.
    pub fn from_place(place: &LinePlace) -> Self {
        Self {
            place: *place,
            is_source: place.is_rest.then_some(false),
            ..Self::default()
        }
    }

    /// Hands out the lines that end in these bytes.
    pub fn push_bytes(&mut self, bytes: &[u8], take: &mut impl FnMut(&InputLine<'_>)) {
        // Where in the bytes the line begins, and how far they have been looked at.
        let (mut from, mut at) = (0, 0);
        self.end_at_return(bytes, take);
        loop {
            at += self.count_slashes(&bytes[at..]);
            let Some(&next) = bytes.get(at) else { break };
            let slashes = core::mem::take(&mut self.slashes);
            if slashes > 0 && next == b'n' && self.ends_line(slashes, &bytes[from..at]) {
                self.hand_out(&bytes[from..at], slashes, take);
                self.begin_quoted(slashes);
                at += 1;
                from = at;
                continue;
            }
            let Some(found) = self.find_stop(&bytes[at..]) else {
                break;
            };
            at += found;
            if bytes[at] == b'\r' {
                self.keep(&bytes[from..=at]);
                at += 1;
                from = at;
                self.has_return = true;
                self.end_at_return(&bytes[at..], take);
                continue;
            }
            if bytes[at] == b'\n' {
                self.hand_out(&bytes[from..at], 0, take);
                self.begin_line();
                self.place.has_feeds = true;
                at += 1;
                from = at;
            }
        }
        self.keep(&bytes[from..]);
    }

    /// What may end a line, or belong to its end.
    fn find_stop(&self, bytes: &[u8]) -> Option<usize> {
        if self.place.has_feeds {
            memchr2(b'\n', b'\\', bytes)
        } else {
            memchr3(b'\n', b'\\', b'\r', bytes)
        }
    }

    /// Ends the line after a carriage return, unless what comes next (`more`) ends it.
    fn end_at_return(&mut self, more: &[u8], take: &mut impl FnMut(&InputLine<'_>)) {
        let Some(next) = more.first().filter(|_| self.has_return) else {
            return;
        };
        self.has_return = false;
        if !matches!(next, b'\n' | b'\r') {
            let slashes = core::mem::take(&mut self.slashes);
            self.hand_out(&[], 0, take);
            self.slashes = slashes;
            // The carriage return has been counted.
            self.length -= 1;
            self.begin_line();
        }
    }

    /// Hands out the last line, if it has no end of its own.
    pub fn finish_lines(mut self, take: &mut impl FnMut(&InputLine<'_>)) {
        if self.length > 0 || self.place.is_quoted() {
            self.hand_out(&[], 0, take);
        }
    }

    /// How many backslashes the bytes begin with.
    fn count_slashes(&mut self, bytes: &[u8]) -> usize {
        let slashes = bytes.iter().take_while(|&&byte| byte == b'\\').count();
        self.slashes += slashes;
        slashes
    }

    /// Whether an `n` after so many backslashes ends the line. More of them than at the first end
    /// belong to the text.
    fn ends_line(&mut self, slashes: usize, more: &[u8]) -> bool {
        if let Some(quoted) = self.place.quoted {
            return slashes == quoted;
        }
        // The source lines in a log have `\n` too: bpf_printk("...\n").
        if self.is_source.is_none() {
            let room = LONGEST_LINE.saturating_sub(self.partial.len());
            let more = &more[..more.len().min(room)];
            let begins = |bytes: &[u8]| bytes.trim_ascii_start().first().copied();
            let first = begins(&self.partial).or_else(|| begins(more));
            self.is_source = Some(first == Some(b';'));
        }
        self.is_source == Some(false)
    }

    /// `more`: the end of the line, with `slashes` that are no part of it.
    fn hand_out(&mut self, more: &[u8], slashes: usize, take: &mut impl FnMut(&InputLine<'_>)) {
        let length = self.length + more.len() - slashes;
        let shown = length.min(LONGEST_LINE);
        if !self.partial.is_empty() {
            self.extend_partial(more);
        }
        let bytes = if self.partial.is_empty() {
            more
        } else {
            &self.partial
        };
        self.place.end = self.place.start + length as u64;
        let is_quoted = self.place.is_quoted();
        take(&InputLine {
            number: self.place.above + usize::from(!is_quoted),
            bytes: &bytes[..shown],
            escaped: is_quoted || slashes > 0,
            place: self.place,
        });
        self.length = length + slashes;
    }

    fn begin_line(&mut self) {
        self.place.above += usize::from(!self.place.is_quoted());
        self.place.quoted = None;
        self.is_source = None;
        self.begin_after();
    }

    fn begin_quoted(&mut self, slashes: usize) {
        self.place.above += usize::from(!self.place.is_quoted());
        self.place.quoted = Some(slashes);
        self.begin_after();
    }

    /// One byte after the line ends it.
    fn begin_after(&mut self) {
        self.place.start += self.length as u64 + 1;
        self.place.is_rest = false;
        self.length = 0;
        self.partial.clear();
    }

    /// Remembers the beginning of a line.
    fn keep(&mut self, bytes: &[u8]) {
        self.extend_partial(bytes);
        self.length += bytes.len();
    }

    fn extend_partial(&mut self, bytes: &[u8]) {
        let room = LONGEST_LINE.saturating_sub(self.partial.len());
        self.partial
            .extend_from_slice(&bytes[..bytes.len().min(room)]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::{String, ToString};
    use alloc::vec;

    /// The lines of a text that comes in pieces of this size.
    fn pieces(input: &[u8], size: usize) -> Vec<(usize, String)> {
        let mut lines = Vec::new();
        let mut take = |line: &InputLine<'_>| {
            lines.push((line.number, String::from_utf8_lossy(line.bytes).to_string()));
        };
        let mut reader = LineReader::default();
        for piece in input.chunks(size) {
            reader.push_bytes(piece, &mut take);
        }
        reader.finish_lines(&mut take);
        lines
    }

    fn lines(input: &str) -> Vec<(usize, String)> {
        let whole = pieces(input.as_bytes(), usize::MAX);
        for size in 1..8 {
            assert_eq!(pieces(input.as_bytes(), size), whole, "{size}: {input}");
        }
        whole
    }

    fn expect_lines(input: &str, expected: &[(usize, &str)]) {
        let lines = lines(input);
        let lines: Vec<_> = lines
            .iter()
            .map(|(at, line)| (*at, line.as_str()))
            .collect();
        assert_eq!(lines, expected);
    }

    #[test]
    fn lines_are_numbered() {
        expect_lines("a\nb\n\nc", &[(1, "a"), (2, "b"), (3, ""), (4, "c")]);
        expect_lines("", &[]);
        expect_lines("\n", &[(1, "")]);
    }

    #[test]
    fn carriage_returns_end_lines_where_nothing_else_does() {
        expect_lines("a\rb\r\rc", &[(1, "a\r"), (2, "b\r\r"), (3, "c")]);
        expect_lines("a\r", &[(1, "a\r")]);
        expect_lines("a\r\nb\rc\n", &[(1, "a\r"), (2, "b\rc")]);
        expect_lines("a\\nb\rc\\nd", &[(1, "a"), (1, "b\r"), (2, "c"), (2, "d")]);
    }

    #[test]
    fn a_quoted_log_has_lines_too() {
        expect_lines(
            "x\nlog=\"a\\nb\\n\"\ny",
            &[(1, "x"), (2, "log=\"a"), (2, "b"), (2, "\""), (3, "y")],
        );
        expect_lines("a\\n", &[(1, "a"), (1, "")]);
        expect_lines("a\\n\nb", &[(1, "a"), (1, ""), (2, "b")]);
    }

    #[test]
    fn strings_within_strings_keep_their_ends() {
        expect_lines(
            r#"0: a\n; printk(\"x\\n\")\n1: b"#,
            &[(1, "0: a"), (1, r#"; printk(\"x\\n\")"#), (1, "1: b")],
        );
        expect_lines(r"0: a\\n1: b", &[(1, "0: a"), (1, "1: b")]);
        expect_lines(
            r"0: a\\n1: b\n\\nc\\",
            &[(1, "0: a"), (1, r"1: b\n"), (1, r"c\\")],
        );
    }

    #[test]
    fn a_source_line_is_one_line() {
        let line = r#" ; bpf_printk("a\nb\n");"#;
        expect_lines(line, &[(1, line)]);
    }

    #[test]
    fn a_place_leads_back() {
        let input = b"x\n\"a\\nb\\nc\"\n\ny\\z\\n1\\n2";
        let mut all = Vec::new();
        let mut take =
            |line: &InputLine<'_>| all.push((line.bytes.to_vec(), line.number, line.place));
        let mut reader = LineReader::default();
        reader.push_bytes(input, &mut take);
        reader.finish_lines(&mut take);
        assert_eq!(all.len(), 8);
        for at in 0..all.len() {
            let place = all[at].2;
            let mut rest = all[at..].iter();
            let mut take = |line: &InputLine<'_>| {
                let (bytes, number, _) = rest.next().unwrap();
                assert_eq!((line.bytes, line.number), (&bytes[..], *number));
            };
            let mut reader = LineReader::from_place(&place);
            reader.push_bytes(&input[place.start as usize..], &mut take);
            reader.finish_lines(&mut take);
            assert_eq!(rest.len(), 0);
            let length = (place.end - place.start) as usize;
            assert_eq!(length, all[at].0.len());
        }
    }

    #[test]
    fn a_place_may_be_within_a_line() {
        let input = br"Error: ; int a
; int b";
        let mut place = LinePlace::default();
        LineReader::default().push_bytes(input, &mut |line| {
            let (first, rest) = line.split_at(7);
            assert_eq!(
                (first.bytes, rest.bytes),
                (&b"Error: "[..], &b"; int a"[..])
            );
            place = rest.place;
        });
        assert_eq!((place.start, place.end), (7, 14));
        let mut lines = Vec::new();
        let mut reader = LineReader::from_place(&place);
        reader.push_bytes(&input[7..], &mut |line| lines.push(line.bytes.to_vec()));
        reader.finish_lines(&mut |line| lines.push(line.bytes.to_vec()));
        assert_eq!(lines, [&b"; int a"[..], b"; int b"]);
    }

    #[test]
    fn a_line_of_any_length_takes_little_memory() {
        let mut reader = LineReader::default();
        let mut lengths = Vec::new();
        for _ in 0..100 {
            reader.push_bytes(&[b'a'; 4096], &mut |_| unreachable!());
            assert!(reader.partial.capacity() <= 2 * LONGEST_LINE);
        }
        reader.push_bytes(b"\\n0: (95) exit\\n\nb", &mut |line| {
            lengths.push((line.bytes.len(), line.place.start));
        });
        let second = 100 * 4096 + 2;
        assert_eq!(lengths, [(LONGEST_LINE, 0), (12, second), (0, second + 14)]);
        let whole = pieces(&[b'a'; 3 * LONGEST_LINE], usize::MAX);
        assert_eq!(whole, vec![(1, "a".repeat(LONGEST_LINE))]);
    }
}
