//! The input as UTF-8, piece by piece: PowerShell and Notepad write UTF-16, with a mark at the
//! beginning that says so.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// How the input's bytes stand for letters.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum TextEncoding {
    Utf8,
    Utf16Little,
    Utf16Big,
}

/// So many bytes tell the encoding.
const ENOUGH: usize = 8;
/// Text of another encoding is handed on in pieces of about this size.
const PIECE: usize = 16 * 1024;

/// Turns bytes that come in pieces of any size into UTF-8. What is no UTF-16 stays as it is, also
/// where it is no text.
#[derive(Debug, Default)]
pub struct TextDecoder {
    /// `None` until there are enough bytes to tell.
    encoding: Option<TextEncoding>,
    first: Vec<u8>,
    /// The first byte of a unit whose second has not come yet.
    half: Option<u8>,
    /// The first unit of a character whose second has not come yet.
    surrogate: Option<u16>,
}

impl TextDecoder {
    pub fn push_bytes(&mut self, bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        if let Some(encoding) = self.encoding {
            return self.decode(encoding, bytes, take);
        }
        if self.first.is_empty() && bytes.len() >= ENOUGH {
            return self.begin(bytes, take);
        }
        self.first.extend_from_slice(bytes);
        if self.first.len() >= ENOUGH {
            let first = core::mem::take(&mut self.first);
            self.begin(&first, take);
        }
    }

    pub fn finish_text(mut self, take: &mut impl FnMut(&[u8])) {
        if self.encoding.is_none() {
            let first = core::mem::take(&mut self.first);
            self.begin(&first, take);
        }
        if self.half.is_some() || self.surrogate.is_some() {
            take("\u{fffd}".as_bytes());
        }
    }

    fn begin(&mut self, first: &[u8], take: &mut impl FnMut(&[u8])) {
        let (encoding, mark) = detect_encoding(first);
        self.encoding = Some(encoding);
        self.decode(encoding, &first[mark..], take);
    }

    fn decode(&mut self, encoding: TextEncoding, bytes: &[u8], take: &mut impl FnMut(&[u8])) {
        let from_bytes = match encoding {
            TextEncoding::Utf8 => return take(bytes),
            TextEncoding::Utf16Little => u16::from_le_bytes,
            TextEncoding::Utf16Big => u16::from_be_bytes,
        };
        let mut text = String::new();
        for &byte in bytes {
            match self.half.take() {
                None => self.half = Some(byte),
                Some(first) => self.take_unit(from_bytes([first, byte]), &mut text),
            }
            if text.len() >= PIECE {
                take(text.as_bytes());
                text.clear();
            }
        }
        take(text.as_bytes());
    }

    fn take_unit(&mut self, unit: u16, text: &mut String) {
        let units = [self.surrogate.take(), Some(unit)];
        for decoded in char::decode_utf16(units.into_iter().flatten()) {
            match decoded {
                Ok(character) => text.push(character),
                Err(error) if is_first_half(error.unpaired_surrogate(), unit) => {
                    self.surrogate = Some(unit);
                }
                Err(_) => text.push('\u{fffd}'),
            }
        }
    }
}

/// Whether the unit that came last is the first half of a character.
fn is_first_half(unpaired: u16, last: u16) -> bool {
    unpaired == last && (0xd800..0xdc00).contains(&last)
}

/// The encoding, and how many bytes say so.
fn detect_encoding(first: &[u8]) -> (TextEncoding, usize) {
    if first.starts_with(b"\xef\xbb\xbf") {
        return (TextEncoding::Utf8, 3);
    }
    if first.starts_with(b"\xff\xfe") {
        return (TextEncoding::Utf16Little, 2);
    }
    if first.starts_with(b"\xfe\xff") {
        return (TextEncoding::Utf16Big, 2);
    }
    (guess_encoding(first), 0)
}

/// Without a mark, it is UTF-16 only where every other byte is zero, and the rest English.
fn guess_encoding(first: &[u8]) -> TextEncoding {
    let is_letter = |byte: u8| matches!(byte, b' '..=b'~' | b'\n' | b'\r' | b'\t');
    let mut is_little = first.len() >= ENOUGH;
    let mut is_big = is_little;
    for pair in first.chunks_exact(2).take(ENOUGH / 2) {
        is_little &= is_letter(pair[0]) && pair[1] == 0;
        is_big &= pair[0] == 0 && is_letter(pair[1]);
    }
    match (is_little, is_big) {
        (true, _) => TextEncoding::Utf16Little,
        (_, true) => TextEncoding::Utf16Big,
        _ => TextEncoding::Utf8,
    }
}

/// The whole input at once; without a copy where it is UTF-8.
pub fn decode_text(input: &[u8]) -> Cow<'_, [u8]> {
    if let (TextEncoding::Utf8, mark) = detect_encoding(input) {
        return Cow::Borrowed(&input[mark..]);
    }
    let mut text = Vec::new();
    let mut decoder = TextDecoder::default();
    decoder.push_bytes(input, &mut |piece| text.extend_from_slice(piece));
    decoder.finish_text(&mut |piece| text.extend_from_slice(piece));
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encode(text: &str, mark: &[u8], to_bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
        let mut bytes = mark.to_vec();
        bytes.extend(text.encode_utf16().flat_map(to_bytes));
        bytes
    }

    fn decode_in_pieces(bytes: &[u8], size: usize) -> Vec<u8> {
        let mut text = Vec::new();
        let mut decoder = TextDecoder::default();
        for piece in bytes.chunks(size) {
            decoder.push_bytes(piece, &mut |piece| text.extend_from_slice(piece));
        }
        decoder.finish_text(&mut |piece| text.extend_from_slice(piece));
        text
    }

    const TEXT: &str = "0: (bf) r0 = r2\r\n; // 값 🐝\r\nR2 !read_ok\r\n";

    #[test]
    fn every_encoding_is_decoded_in_pieces_of_any_size() {
        for bytes in [
            TEXT.as_bytes().to_vec(),
            [b"\xef\xbb\xbf", TEXT.as_bytes()].concat(),
            encode(TEXT, b"\xff\xfe", u16::to_le_bytes),
            encode(TEXT, b"\xfe\xff", u16::to_be_bytes),
            encode(TEXT, b"", u16::to_le_bytes),
            encode(TEXT, b"", u16::to_be_bytes),
        ] {
            assert_eq!(decode_text(&bytes), TEXT.as_bytes());
            for size in [1, 2, 3, 7, 8, 9, 1000] {
                assert_eq!(decode_in_pieces(&bytes, size), TEXT.as_bytes(), "{size}");
            }
        }
    }

    #[test]
    fn halves_of_characters_are_marked() {
        let unpaired = [0x41, 0xd83d, 0x42, 0xdc1d, 0xd83d];
        let mut bytes = b"\xff\xfe".to_vec();
        bytes.extend(unpaired.into_iter().flat_map(u16::to_le_bytes));
        let text = "A\u{fffd}B\u{fffd}\u{fffd}";
        for size in [1, 3, 100] {
            assert_eq!(decode_in_pieces(&bytes, size), text.as_bytes());
        }
        assert_eq!(decode_text(b"\xff\xfeA"), "\u{fffd}".as_bytes());
    }

    #[test]
    fn other_bytes_stay_as_they_are() {
        for bytes in [
            &b""[..],
            b"\xff",
            b"a\0b\0",
            b"\0\0\0\0\0\0\0\0",
            b"\x80\x81 a\0b",
        ] {
            assert_eq!(decode_text(bytes), bytes);
            assert_eq!(decode_in_pieces(bytes, 1), bytes);
        }
    }
}
