//! The last lines of a log that say what the verifier did, as they came: an explanation is made
//! from them when the log is over.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::input::lines::{InputLine, LinePlace};

/// So much memory the lines may take; a line of a log of level 2 has 100 to 200 bytes. Values that
/// come from farther above are rare.
const MOST_MEMORY: usize = 768 * 1024;
/// What a line takes besides its bytes.
const LINE_COST: usize = size_of::<KeptLine>();

/// Lines of one log. They take at most twice of [`MOST_MEMORY`].
#[derive(Debug, Default)]
pub struct StepLines {
    bytes: Vec<u8>,
    lines: VecDeque<KeptLine>,
    /// Bytes of lines that are dropped, but still there.
    dropped: usize,
}

#[derive(Clone, Copy, Debug)]
struct KeptLine {
    place: LinePlace,
    number: usize,
    length: usize,
    escaped: bool,
}

impl StepLines {
    pub fn keep_line(&mut self, line: &InputLine<'_>) {
        self.bytes.extend_from_slice(line.bytes);
        self.lines.push_back(KeptLine {
            place: line.place,
            number: line.number,
            length: line.bytes.len(),
            escaped: line.escaped,
        });
        while self.memory() > MOST_MEMORY && self.lines.len() > 1 {
            self.drop_first();
        }
    }

    fn memory(&self) -> usize {
        self.bytes.len() - self.dropped + self.lines.len() * LINE_COST
    }

    fn drop_first(&mut self) {
        if let Some(first) = self.lines.pop_front() {
            self.dropped += first.length;
        }
        // To move the bytes is cheap where it is rare.
        if self.dropped > MOST_MEMORY {
            self.bytes.drain(..self.dropped);
            self.dropped = 0;
        }
    }

    /// Where the first of them is.
    pub fn first_place(&self) -> Option<LinePlace> {
        self.lines.front().map(|line| line.place)
    }

    /// Where the last of them ends.
    pub fn last_end(&self) -> u64 {
        self.lines.back().map_or(0, |line| line.place.end)
    }

    pub fn all_lines(&self) -> impl Iterator<Item = InputLine<'_>> {
        let mut rest = &self.bytes[self.dropped..];
        self.lines.iter().map(move |line| {
            let (bytes, after) = rest.split_at(line.length);
            rest = after;
            InputLine {
                number: line.number,
                bytes,
                escaped: line.escaped,
                place: line.place,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::input::lines::LineReader;
    use alloc::format;

    #[test]
    fn the_last_lines_are_kept() {
        let mut kept = StepLines::default();
        let mut reader = LineReader::default();
        let count = 40_000;
        for at in 1..=count {
            let line = format!("{at}: (95) exit ; {}\n", "x".repeat(at % 90));
            reader.push_bytes(line.as_bytes(), &mut |line| kept.keep_line(line));
            assert!(kept.bytes.len() <= 2 * MOST_MEMORY);
        }
        let lines: Vec<_> = kept.all_lines().collect();
        assert!(lines.len() > 5000 && lines.len() < count, "{}", lines.len());
        for (line, at) in lines.iter().rev().zip((1..=count).rev()) {
            assert!(line.bytes.starts_with(format!("{at}: ").as_bytes()));
            assert_eq!(line.number, at);
        }
    }

    #[test]
    fn short_lines_take_memory_too() {
        let mut kept = StepLines::default();
        for _ in 0..100_000 {
            kept.keep_line(&InputLine::from_text(";"));
        }
        assert!(kept.lines.len() * LINE_COST <= MOST_MEMORY);
    }
}
