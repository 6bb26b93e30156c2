//! The kernel's console: keeps its last words, and notices when it crashes.

use std::collections::VecDeque;

/// Lines kept for a report.
const KEPT: usize = 40;

/// Longer lines are cut: a program may write anything to the console.
const LONGEST: usize = 400;

/// What a kernel prints when it cannot go on.
const CRASHES: [&str; 5] = [
    "Kernel panic - not syncing",
    "Oops: ",
    "BUG: ",
    "general protection fault, ",
    "detected stall",
];

#[derive(Default)]
pub struct Console {
    lines: VecDeque<String>,
    current: Vec<u8>,
    /// The first line that said that the kernel has crashed.
    crash: Option<String>,
}

impl Console {
    /// Takes what was printed; returns the line that says that the kernel has crashed, once.
    pub fn push_output(&mut self, bytes: &[u8]) -> Option<String> {
        let healthy = self.crash.is_none();
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                _ if self.current.len() < LONGEST => self.current.push(byte),
                _ => {}
            }
        }
        self.crash.clone().filter(|_| healthy)
    }

    /// The line that said that the kernel has crashed.
    pub fn crash_line(&self) -> Option<&str> {
        self.crash.as_deref()
    }

    fn end_line(&mut self) {
        let line = printable(&std::mem::take(&mut self.current));
        if self.crash.is_none() && CRASHES.iter().any(|mark| line.contains(mark)) {
            self.crash = Some(line.clone());
        }
        if self.lines.len() == KEPT {
            self.lines.pop_front();
        }
        self.lines.push_back(line);
    }

    /// The last lines, an unfinished one included.
    pub fn last_words(&self) -> Vec<String> {
        let mut words: Vec<String> = self.lines.iter().cloned().collect();
        if !self.current.is_empty() {
            words.push(printable(&self.current));
        }
        words
    }
}

/// Control characters could move the cursor or change the colours of the user's terminal.
fn printable(line: &[u8]) -> String {
    String::from_utf8_lossy(line)
        .chars()
        .map(|c| if c.is_control() && c != '\t' { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_noticed_in_any_split() {
        let text =
            b"[    1.0] fine\r\n[    1.1] Kernel panic - not syncing: Attempted to kill init!\r\n";
        for piece in 1..text.len() {
            let mut console = Console::default();
            let crashes: Vec<_> = text
                .chunks(piece)
                .filter_map(|chunk| console.push_output(chunk))
                .collect();
            assert_eq!(crashes.len(), 1, "in pieces of {piece}");
            assert!(crashes[0].contains("Attempted to kill init"));
        }
    }

    #[test]
    fn a_flood_keeps_the_last_words_only() {
        let mut console = Console::default();
        for number in 0..10_000 {
            assert_eq!(
                console.push_output(format!("line {number}\n").as_bytes()),
                None
            );
        }
        console.push_output(&[b'x'; 1_000_000]);
        console.push_output(b"\x1b[2J");
        let words = console.last_words();
        assert_eq!(words.len(), KEPT + 1);
        assert_eq!(words[KEPT - 1], "line 9999");
        assert_eq!(words[KEPT].len(), LONGEST);
    }

    #[test]
    fn escape_sequences_do_not_reach_the_terminal() {
        let mut console = Console::default();
        console.push_output(b"\x1b[2Jhello\n");
        assert_eq!(console.last_words(), ["?[2Jhello"]);
    }
}
