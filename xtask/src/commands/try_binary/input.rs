//! Standard input, which comes once and goes to every guest.

use std::io::{self, IsTerminal, Read};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

use anyhow::{Context, Result};
use testvm::Guest;

/// Bytes that go at a time: a serial line carries about 80 KB/s.
const PIECE: usize = 16 << 10;

/// What has come so far: guests may be at different places of it.
#[derive(Default)]
pub struct SharedInput {
    read: Mutex<Vec<u8>>,
}

/// Whether there is any: a terminal is no input for several guests.
pub fn has_input() -> bool {
    !io::stdin().is_terminal()
}

impl SharedInput {
    /// Gives the step of the next plan what it asks for, until the guest is gone.
    pub fn feed_guest(self: &Arc<Self>, guest: &mut Guest) -> Result<()> {
        let (requests, keyboard) = (guest.receive_requests_for_input(), guest.keyboard());
        let input = Arc::clone(self);
        let work = move || {
            let mut at = 0;
            for () in requests {
                let piece = input.piece_at(at, &mut io::stdin().lock());
                at += piece.len();
                if !keyboard.send_keys(piece) {
                    return;
                }
            }
        };
        thread::Builder::new()
            .name("input".to_owned())
            .spawn(work)
            .context("cannot start the thread for standard input")?;
        Ok(())
    }

    /// What comes after the first `at` bytes; nothing at the end. Whoever is first waits for it,
    /// and the others for him.
    fn piece_at(&self, at: usize, source: &mut impl Read) -> Vec<u8> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if at == read.len() {
            let mut buffer = [0; PIECE];
            // Input that cannot be read has ended.
            let length = source.read(&mut buffer).unwrap_or(0);
            read.extend_from_slice(&buffer[..length]);
        }
        let end = read.len().min(at + PIECE);
        read[at..end].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guest_gets_all_of_it() {
        let bytes: Vec<u8> = (0..3 * PIECE + 7).map(|number| number as u8).collect();
        let mut source = bytes.as_slice();
        let input = SharedInput::default();
        let take_all = |source: &mut &[u8]| {
            let mut taken = Vec::new();
            loop {
                let piece = input.piece_at(taken.len(), source);
                if piece.is_empty() {
                    return taken;
                }
                taken.extend(piece);
            }
        };
        assert_eq!(take_all(&mut source), bytes);
        assert!(source.is_empty());
        assert_eq!(take_all(&mut source), bytes);
    }
}
