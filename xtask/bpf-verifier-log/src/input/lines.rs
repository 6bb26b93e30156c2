//! The lines of the input, also where a program wrote them into one line as `\n`.

use memchr::memchr;

/// One line of the input.
#[derive(Clone, Copy, Debug)]
pub struct InputLine<'a> {
    /// The number of the input's line that it is in, counted from 1.
    pub number: usize,
    /// Where it begins in the input.
    pub start: usize,
    pub bytes: &'a [u8],
    /// It comes out of a quoted string.
    pub escaped: bool,
}

/// Goes over the lines without a copy of any.
#[derive(Clone, Debug)]
pub struct InputLines<'a> {
    input: &'a [u8],
    at: usize,
    number: usize,
    /// Within a line that holds several: its end, and how many backslashes an `n` has that ends a
    /// line.
    quoted: Option<(usize, usize)>,
}

impl<'a> InputLines<'a> {
    pub fn new(input: &'a [u8]) -> Self {
        Self {
            input,
            at: 0,
            number: 0,
            quoted: None,
        }
    }

    /// Goes on from an offset that a [`InputLine::start`] was.
    pub fn from_position(input: &'a [u8], line: &LinePosition) -> Self {
        Self {
            input,
            at: line.start,
            number: line.number,
            quoted: line.quoted,
        }
    }

    /// Where the next line begins, to come back to it.
    pub fn next_position(&self) -> LinePosition {
        LinePosition {
            start: self.at,
            number: self.number,
            quoted: self.quoted,
        }
    }

    fn quoted_line(&mut self, end: usize, slashes: usize) -> InputLine<'a> {
        let rest = &self.input[self.at..end];
        let (length, skip) = next_escape(rest, slashes).unwrap_or((rest.len(), 0));
        let line = self.line(length, true);
        self.at += length + skip;
        if skip == 0 {
            self.at = (end + 1).min(self.input.len());
            self.quoted = None;
        }
        line
    }

    fn line(&self, length: usize, escaped: bool) -> InputLine<'a> {
        let bytes = &self.input[self.at..self.at + length];
        InputLine {
            number: self.number,
            start: self.at,
            bytes,
            escaped,
        }
    }
}

impl<'a> Iterator for InputLines<'a> {
    type Item = InputLine<'a>;

    fn next(&mut self) -> Option<InputLine<'a>> {
        if let Some((end, slashes)) = self.quoted {
            return Some(self.quoted_line(end, slashes));
        }
        let rest = self.input.get(self.at..).filter(|rest| !rest.is_empty())?;
        self.number += 1;
        let length = memchr(b'\n', rest).unwrap_or(rest.len());
        if let Some(slashes) = quoting(&rest[..length]) {
            self.quoted = Some((self.at + length, slashes));
            return self.next();
        }
        let line = self.line(length, false);
        self.at += length + usize::from(length < rest.len());
        Some(line)
    }
}

/// Where in the input a line begins.
#[derive(Clone, Copy, Debug)]
pub struct LinePosition {
    start: usize,
    number: usize,
    quoted: Option<(usize, usize)>,
}

/// How many backslashes end a line within this one; `None` if it is just a line.
fn quoting(line: &[u8]) -> Option<usize> {
    if line.is_empty() {
        return None;
    }
    let (start, length) = first_escape(line)?;
    // The source lines in a log have `\n` too: bpf_printk("...\n").
    if line.trim_ascii_start().starts_with(b";") {
        return None;
    }
    let slashes = line[start..start + length]
        .iter()
        .filter(|&&byte| byte == b'\\')
        .count();
    // An error quoted with the source that follows is not worth the trouble; a log is.
    Some(slashes)
}

/// The first backslashes that an `n` follows: where, and how long with the `n`.
fn first_escape(line: &[u8]) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some(start) = memchr(b'\\', &line[at..]).map(|found| at + found) {
        let slashes = line[start..]
            .iter()
            .take_while(|&&byte| byte == b'\\')
            .count();
        if line.get(start + slashes) == Some(&b'n') {
            return Some((start, slashes + 1));
        }
        at = start + slashes;
    }
    None
}

/// The next end of a line: where, and how long it is. More backslashes than asked for belong to the
/// text.
fn next_escape(line: &[u8], slashes: usize) -> Option<(usize, usize)> {
    let mut at = 0;
    while let Some((start, length)) = first_escape(&line[at..]) {
        if length == slashes + 1 {
            return Some((at + start, length));
        }
        at += start + length;
    }
    None
}

impl LinePosition {
    /// The number of the line before; within a line that holds several, of that line.
    pub fn line_before(&self) -> usize {
        self.number
    }

    pub fn is_quoted(&self) -> bool {
        self.quoted.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;
    use alloc::vec::Vec;

    fn lines(input: &str) -> Vec<(usize, &str)> {
        let text = |line: InputLine<'static>| (line.number, str::from_utf8(line.bytes).unwrap());
        InputLines::new(String::from(input).leak().as_bytes())
            .map(text)
            .collect()
    }

    #[test]
    fn lines_are_numbered() {
        assert_eq!(lines("a\nb\n\nc"), [(1, "a"), (2, "b"), (3, ""), (4, "c")]);
        assert_eq!(lines(""), []);
        assert_eq!(lines("\n"), [(1, "")]);
    }

    #[test]
    fn a_quoted_log_has_lines_too() {
        assert_eq!(
            lines("x\nlog=\"a\\nb\\n\"\ny"),
            [(1, "x"), (2, "log=\"a"), (2, "b"), (2, "\""), (3, "y")]
        );
        assert_eq!(lines("a\\n"), [(1, "a"), (1, "")]);
    }

    #[test]
    fn strings_within_strings_keep_their_ends() {
        assert_eq!(
            lines(r#"0: a\n; printk(\"x\\n\")\n1: b"#),
            [(1, "0: a"), (1, r#"; printk(\"x\\n\")"#), (1, "1: b")]
        );
        assert_eq!(lines(r"0: a\\n1: b"), [(1, "0: a"), (1, "1: b")]);
    }

    #[test]
    fn a_source_line_is_one_line() {
        assert_eq!(
            lines(r#"; bpf_printk("a\nb\n");"#),
            [(1, r#"; bpf_printk("a\nb\n");"#)]
        );
    }

    #[test]
    fn a_position_leads_back() {
        let input = b"x\n\"a\\nb\\nc\"\ny";
        let mut all = InputLines::new(input);
        all.next();
        all.next();
        let rest: Vec<_> = InputLines::from_position(input, &all.next_position())
            .map(|line| line.bytes.to_vec())
            .collect();
        assert_eq!(rest, [&b"b"[..], b"c\"", b"y"]);
    }
}
