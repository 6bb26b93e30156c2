//! Lines of a program's output, which comes in pieces.

use anyhow::{Result, bail};

/// No honest line is longer: a shortened log of the verifier, or the cost of a program.
const LONGEST: usize = 16 << 20;

/// What was printed of a line that has not ended yet.
#[derive(Default)]
pub struct LineBuffer {
    unfinished: Vec<u8>,
}

impl LineBuffer {
    /// Hands out each line that is whole now, with its end.
    pub fn push_bytes(
        &mut self,
        bytes: &[u8],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            if self.unfinished.len() + piece.len() > LONGEST {
                bail!("a line of more than {} MiB was printed", LONGEST >> 20);
            }
            self.unfinished.extend_from_slice(piece);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.unfinished);
                take(&line)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_whole_in_any_split() {
        let text = b"one\n\nthree\nnot whole";
        for size in 1..=text.len() {
            let (mut buffer, mut lines) = (LineBuffer::default(), Vec::new());
            for piece in text.chunks(size) {
                let take = |line: &[u8]| {
                    lines.push(line.to_vec());
                    Ok(())
                };
                buffer.push_bytes(piece, take).unwrap();
            }
            assert_eq!(lines, [&b"one\n"[..], b"\n", b"three\n"], "{size}");
        }
    }

    #[test]
    fn a_line_without_end_is_given_up() {
        let mut buffer = LineBuffer::default();
        let piece = vec![b'x'; LONGEST / 4];
        let take = |_: &[u8]| panic!("there is no line");
        let kept = (0..8)
            .take_while(|_| buffer.push_bytes(&piece, take).is_ok())
            .count();
        assert_eq!((kept, buffer.unfinished.len()), (4, LONGEST));
    }

    /// If each piece meant another look at all that is there, this would take minutes.
    #[test]
    fn small_pieces_cost_no_more() {
        let (mut buffer, mut lines) = (LineBuffer::default(), 0);
        let mut push = |piece: &[u8]| {
            let take = |_: &[u8]| {
                lines += 1;
                Ok(())
            };
            buffer.push_bytes(piece, take).unwrap();
        };
        for _ in 0..1 << 18 {
            push(&[b'x'; 32]);
        }
        push(&vec![b'\n'; 1 << 20]);
        assert_eq!(lines, 1 << 20);
    }
}
