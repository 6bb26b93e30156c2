//! Frames: a kind, a length and that many bytes.
//!
//! ```text
//!   byte 0     1..5                    5..
//!   kind       length, little endian   payload
//! ```
//!
//! The payload of [`FrameKind::News`] and [`FrameKind::Order`] is JSON; that of the
//! others is a program's bytes as they are.

use std::io;

use serde::Serialize;
use serde::de::DeserializeOwned;

const HEADER: usize = 5;

/// No honest frame is longer: output travels in pieces of a few kilobytes.
const LONGEST: usize = 1 << 20;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FrameKind {
    /// Guest to host: a [`crate::News`].
    News,
    /// Guest to host: what the running step wrote to standard output (or to its terminal).
    Stdout,
    /// Guest to host: what the running step wrote to standard error.
    Stderr,
    /// Host to guest: an [`crate::Order`].
    Order,
    /// Host to guest: what the user typed.
    Input,
}

impl FrameKind {
    fn to_byte(self) -> u8 {
        match self {
            FrameKind::News => b'N',
            FrameKind::Stdout => b'1',
            FrameKind::Stderr => b'2',
            FrameKind::Order => b'O',
            FrameKind::Input => b'I',
        }
    }

    fn from_byte(byte: u8) -> Option<Self> {
        [
            FrameKind::News,
            FrameKind::Stdout,
            FrameKind::Stderr,
            FrameKind::Order,
            FrameKind::Input,
        ]
        .into_iter()
        .find(|kind| kind.to_byte() == byte)
    }
}

#[derive(Debug, Eq, PartialEq)]
pub struct Frame {
    pub kind: FrameKind,
    pub payload: Vec<u8>,
}

impl Frame {
    /// Reads the payload of a [`FrameKind::News`] or [`FrameKind::Order`] frame.
    pub fn read_message<T: DeserializeOwned>(&self) -> io::Result<T> {
        serde_json::from_slice(&self.payload).map_err(io::Error::from)
    }
}

/// The bytes of a frame that carries `payload` as it is.
pub fn encode_frame(kind: FrameKind, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap_or(u32::MAX);
    let mut bytes = Vec::with_capacity(HEADER + payload.len());
    bytes.push(kind.to_byte());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes.extend_from_slice(payload);
    bytes
}

/// The bytes of a frame that carries a message.
pub fn encode_message<T: Serialize>(kind: FrameKind, message: &T) -> io::Result<Vec<u8>> {
    Ok(encode_frame(kind, &serde_json::to_vec(message)?))
}

/// Takes bytes as they arrive, in pieces of any size, and gives whole frames.
#[derive(Default)]
pub struct Decoder {
    pending: Vec<u8>,
    /// So many of them were given already: a piece may hold thousands of frames, and the rest of it
    /// is not moved for each.
    given: usize,
}

impl Decoder {
    pub fn push_bytes(&mut self, bytes: &[u8]) {
        self.pending.drain(..self.given);
        self.given = 0;
        self.pending.extend_from_slice(bytes);
    }

    /// The next whole frame; `None` when more bytes are needed; an error when the bytes are not
    /// frames.
    pub fn next_frame(&mut self) -> io::Result<Option<Frame>> {
        let pending = &self.pending[self.given..];
        let Some((&[kind_byte, a, b, c, d], rest)) = pending.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length = u32::from_le_bytes([a, b, c, d]) as usize;
        let kind = FrameKind::from_byte(kind_byte)
            .filter(|_| length <= LONGEST)
            .ok_or_else(|| {
                io::Error::new(
                    io::ErrorKind::InvalidData,
                    format!("not a frame: kind {kind_byte:#04x}, length {length}"),
                )
            })?;
        let Some(payload) = rest.get(..length) else {
            return Ok(None);
        };
        let payload = payload.to_vec();
        self.given += HEADER + length;
        Ok(Some(Frame { kind, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{News, Outcome};

    #[test]
    fn frames_survive_any_split() {
        let news = News::Ended {
            step: 3,
            outcome: Outcome::Exited(1),
            micros: 42,
            token: 7,
        };
        let mut bytes = encode_message(FrameKind::News, &news).unwrap();
        bytes.extend(encode_frame(FrameKind::Stdout, b"\x00\xffnot utf-8"));
        bytes.extend(encode_frame(FrameKind::Stderr, b""));
        for piece in 1..=bytes.len() {
            let mut decoder = Decoder::default();
            let mut frames = Vec::new();
            for chunk in bytes.chunks(piece) {
                decoder.push_bytes(chunk);
                while let Some(frame) = decoder.next_frame().unwrap() {
                    frames.push(frame);
                }
            }
            assert_eq!(frames.len(), 3, "in pieces of {piece}");
            assert_eq!(frames[0].read_message::<News>().unwrap(), news);
            assert_eq!(frames[1].payload, b"\x00\xffnot utf-8");
            assert!(frames[2].payload.is_empty());
        }
    }

    #[test]
    fn noise_is_an_error() {
        let mut decoder = Decoder::default();
        decoder.push_bytes(b"Linux version 6.12");
        assert!(decoder.next_frame().is_err());
        let mut decoder = Decoder::default();
        decoder.push_bytes(&[b'1', 0xff, 0xff, 0xff, 0xff]);
        assert!(decoder.next_frame().is_err(), "a length no frame has");
    }
}
