//! Empty lines between all lines: some copies double the end of each line.

/// How lines and empty lines have come so far.
#[derive(Debug, Default)]
pub struct BlankLines {
    /// Empty lines since the last other one.
    run: usize,
    /// So many lines were followed by one empty line each.
    pairs: usize,
}

/// A log has an empty line here and there, but not after one line, and the next, and the next.
const ENOUGH: usize = 3;

impl BlankLines {
    pub fn count_line(&mut self, bytes: &[u8]) {
        if matches!(bytes, b"" | b"\r") {
            self.run += 1;
            return;
        }
        if self.run == 1 {
            self.pairs += 1;
        } else if self.run == 0 {
            self.pairs = 0;
        }
        self.run = 0;
    }

    /// Whether the empty line that has just come is only the double end of the line above.
    pub fn are_doubled_ends(&self) -> bool {
        self.pairs >= ENOUGH && self.run == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doubled(text: &str) -> bool {
        let mut blanks = BlankLines::default();
        text.lines()
            .for_each(|line| blanks.count_line(line.as_bytes()));
        blanks.are_doubled_ends()
    }

    #[test]
    fn doubled_ends_are_known() {
        assert!(doubled("a\n\nb\n\nc\n\nd\n\n"));
        assert!(doubled("a\r\n\r\nb\r\n\r\nc\r\n\r\nd\r\n\r\n"));
        for text in [
            "a\n\nb\n\nc\n\n",
            "a\nb\n\nc\n\n",
            "a\n\nb\n\nc\n\nd\n\n\n",
            "a",
        ] {
            assert!(!doubled(text), "{text:?}");
        }
        assert!(
            !doubled("a\n\nb\n\nc\n\nd\ne\n\n"),
            "two without one between"
        );
    }
}
