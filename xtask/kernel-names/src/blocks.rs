//! The text of a kernel's names, in parts that are found by name: to answer, one part of each
//! kernel is unpacked. A line for each name: the name, a tab, and what it is like.

use std::collections::BTreeMap;

use crate::kind::Kind;

/// Functions and structs are so many that they are divided.
const PARTS: usize = 16;

/// The part of a kernel's names in which a name is if it is there.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct BlockPlace(usize);

impl BlockPlace {
    /// Of each kind in turn.
    pub const COUNT: usize = Kind::ALL.len() + 2 * (PARTS - 1);

    pub fn find(kind: Kind, name: &str) -> Self {
        Self(Self::all_of(kind).start + part_of(name) % Self::all_of(kind).len())
    }

    pub fn block_index(self) -> usize {
        self.0
    }

    /// Those of a kind.
    pub fn all_of(kind: Kind) -> std::ops::Range<usize> {
        let mut start = 0;
        for other in Kind::ALL {
            let parts = match other {
                Kind::Function | Kind::Struct => PARTS,
                _ => 1,
            };
            if other == kind {
                return start..start + parts;
            }
            start += parts;
        }
        unreachable!("all kinds are in the list")
    }
}

/// Names that begin with the same word come together, because they pack well: `tcp_v4_connect` and
/// `tcp_v4_rcv`.
fn part_of(name: &str) -> usize {
    let word = name.trim_start_matches('_').split('_').next();
    let bytes = word.unwrap_or_default().bytes();
    bytes.fold(0usize, |sum, byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    })
}

/// The lines of a block, by name.
pub fn format_block(names: &BTreeMap<String, String>) -> String {
    let mut text = String::new();
    for (name, value) in names {
        text.push_str(name);
        text.push('\t');
        text.push_str(value);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_kind_has_its_blocks() {
        let last = BlockPlace::all_of(Kind::AttachType);
        assert_eq!(last, BlockPlace::COUNT - 1..BlockPlace::COUNT);
        for kind in Kind::ALL {
            let place = BlockPlace::find(kind, "tcp_v4_connect");
            assert!(BlockPlace::all_of(kind).contains(&place.block_index()));
            assert_eq!(place, BlockPlace::find(kind, "__tcp_v4_rcv"));
        }
    }

    #[test]
    fn names_are_written_in_order() {
        let names = [("vfs_unlink", "1"), ("vfs", "2")];
        let names = names.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let block = format_block(&names.into());
        assert_eq!(block, "vfs\t2\nvfs_unlink\t1\n");
    }
}
