//! One tidy output of work that goes on side by side: the first part is seen as it happens, the
//! others wait their turn, in order.

use std::io;
use std::sync::{Mutex, PoisonError};

use crate::output::screen::{self, Mark};

/// Something to be seen.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Piece {
    Stdout(Vec<u8>),
    Stderr(Vec<u8>),
    Line(Mark, String),
    Progress(String),
}

impl Piece {
    fn show(&self) -> io::Result<()> {
        match self {
            Piece::Stdout(bytes) => return screen::write_answer(bytes),
            Piece::Stderr(bytes) => screen::pass_on_errors(bytes),
            Piece::Line(mark, text) => screen::show_marked(*mark, text),
            Piece::Progress(text) => screen::show_progress(text),
        }
        Ok(())
    }
}

/// Parts of a work, by their numbers.
pub struct OrderedOutput {
    parts: Mutex<Parts>,
}

struct Parts {
    /// The part that is seen.
    current: usize,
    waiting: Vec<Vec<Piece>>,
    ended: Vec<bool>,
}

impl OrderedOutput {
    pub fn new(parts: usize) -> Self {
        let parts = Parts {
            current: 0,
            waiting: vec![Vec::new(); parts],
            ended: vec![false; parts],
        };
        Self {
            parts: Mutex::new(parts),
        }
    }

    pub fn show_piece(&self, part: usize, piece: Piece) -> io::Result<()> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        if part == parts.current {
            return piece.show();
        }
        parts.waiting[part].push(piece);
        Ok(())
    }

    /// Nothing more comes from this part: the next ones may be seen.
    pub fn end_part(&self, part: usize) -> io::Result<()> {
        let mut parts = self.parts.lock().unwrap_or_else(PoisonError::into_inner);
        parts.ended[part] = true;
        parts.advance(Piece::show)
    }
}

impl Parts {
    fn advance(&mut self, mut show: impl FnMut(&Piece) -> io::Result<()>) -> io::Result<()> {
        while self.current < self.ended.len() && self.ended[self.current] {
            self.current += 1;
            if let Some(pieces) = self.waiting.get_mut(self.current) {
                std::mem::take(pieces).iter().try_for_each(&mut show)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_seen_in_order_however_they_end() {
        let piece = |text: &str| Piece::Progress(text.to_owned());
        let waiting = vec![Vec::new(), vec![piece("b")], vec![piece("c")]];
        let mut parts = Parts {
            current: 0,
            waiting,
            ended: vec![false, false, true],
        };
        let mut seen = Vec::new();
        let mut end = |parts: &mut Parts, part: usize| {
            parts.ended[part] = true;
            parts.advance(|piece| {
                seen.push(piece.clone());
                Ok(())
            })
        };
        end(&mut parts, 1).unwrap();
        assert_eq!(parts.current, 0, "the first part still runs");
        end(&mut parts, 0).unwrap();
        assert_eq!(parts.current, 3);
        assert_eq!(seen, [piece("b"), piece("c")]);
    }
}
