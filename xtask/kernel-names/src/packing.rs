//! A block as the difference to the same block of the kernel before, compressed. What is in the
//! difference is similar to what it replaces: that is the dictionary.

use std::io::{Read as _, Write as _};

use anyhow::{Context as _, Result};
use lzma_rust2::{EncodeMode, LzmaOptions, LzmaReader, LzmaWriter, MfType};

/// Bits of the byte before that a byte depends on. Text without alignment: more of them, and none
/// of the position.
const CONTEXT_BITS: u32 = 4;
const POSITION_BITS: u32 = 0;

/// Enough for the largest block and its dictionary.
const DICTIONARY: u32 = 1 << 20;

/// The difference between two blocks, packed.
pub struct PackedBlock {
    pub bytes: Vec<u8>,
    /// Of the difference before packing.
    pub text_len: usize,
}

/// `before` is the same block of the kernel before, or empty.
pub fn pack_block(before: &str, block: &str) -> Result<PackedBlock> {
    let difference = find_difference(before, block);
    let mut options = LzmaOptions::new(
        DICTIONARY,
        CONTEXT_BITS,
        POSITION_BITS,
        POSITION_BITS,
        EncodeMode::Normal,
        LzmaOptions::NICE_LEN_MAX,
        MfType::Bt4,
        1000,
    );
    options.preset_dict = (!before.is_empty()).then(|| before.as_bytes().to_vec());
    let mut writer = LzmaWriter::new_no_header(Vec::new(), &options, false)?;
    writer.write_all(difference.as_bytes())?;
    Ok(PackedBlock {
        bytes: writer.finish()?,
        text_len: difference.len(),
    })
}

/// The difference to the same block of the kernel before.
pub fn unpack_difference(before: &str, bytes: &[u8], text_len: usize) -> Result<String> {
    let dictionary = (!before.is_empty()).then_some(before.as_bytes());
    let mut reader = LzmaReader::new(
        bytes,
        text_len as u64,
        CONTEXT_BITS,
        POSITION_BITS,
        POSITION_BITS,
        DICTIONARY,
        dictionary,
    )?;
    let mut difference = Vec::with_capacity(text_len);
    reader.read_to_end(&mut difference)?;
    String::from_utf8(difference).context("it is no text")
}

/// The lines that are new or changed, and of lines that are gone the names, in order of the names.
fn find_difference(before: &str, block: &str) -> String {
    let mut difference = String::new();
    let mut push = |line: &str| {
        difference.push_str(line);
        difference.push('\n');
    };
    let mut old = before.lines().peekable();
    for line in block.lines() {
        let name = name_of(line);
        while let Some(gone) = old.next_if(|old| name_of(old) < name) {
            push(name_of(gone));
        }
        let same = old.next_if(|old| name_of(old) == name);
        if same != Some(line) {
            push(line);
        }
    }
    for gone in old {
        push(name_of(gone));
    }
    difference
}

/// The block, from the one of the kernel before.
pub fn apply_difference(before: &str, difference: &str) -> String {
    let mut block = String::with_capacity(before.len() + difference.len());
    let mut push = |line: &str| {
        block.push_str(line);
        block.push('\n');
    };
    let mut old = before.lines().peekable();
    for line in difference.lines() {
        let name = name_of(line);
        while let Some(kept) = old.next_if(|old| name_of(old) < name) {
            push(kept);
        }
        old.next_if(|old| name_of(old) == name);
        let is_gone = line.len() == name.len();
        if !is_gone {
            push(line);
        }
    }
    old.for_each(push);
    block
}

fn name_of(line: &str) -> &str {
    line.split_once('\t').map_or(line, |(name, _)| name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEFORE: &str = "a\t1\nab\t2\nb\t3\nd\t4\n";
    const AFTER: &str = "a\t1\naa\t9\nb\t5\ne\t6\n";

    #[test]
    fn a_difference_has_only_what_changed() {
        let difference = find_difference(BEFORE, AFTER);
        assert_eq!(difference, "aa\t9\nab\nb\t5\nd\ne\t6\n");
        assert_eq!(apply_difference(BEFORE, &difference), AFTER);
        assert_eq!(find_difference(BEFORE, BEFORE), "");
        for (one, other) in [("", AFTER), (BEFORE, "")] {
            assert_eq!(apply_difference(one, &find_difference(one, other)), other);
        }
    }

    #[test]
    fn what_was_packed_is_unpacked() {
        for before in ["", BEFORE] {
            let packed = pack_block(before, AFTER).unwrap();
            let difference = unpack_difference(before, &packed.bytes, packed.text_len).unwrap();
            assert_eq!(apply_difference(before, &difference), AFTER);
        }
        let packed = pack_block(AFTER, AFTER).unwrap();
        assert_eq!(packed.text_len, 0);
        assert_eq!(unpack_difference(AFTER, &packed.bytes, 0).unwrap(), "");
    }

    #[test]
    fn damage_is_an_error() {
        let packed = pack_block("", AFTER).unwrap();
        let half = &packed.bytes[..packed.bytes.len() / 2];
        assert!(unpack_difference("", half, packed.text_len).is_err());
    }
}
