//! Counts different values by their hashes.

use alloc::vec;
use alloc::vec::Vec;

/// More are not told apart: enough to see that there are many.
pub const MOST_SEEN: usize = 1 << 14;

/// A set of hashes, in a table with open addresses.
#[derive(Debug, Default)]
pub struct SeenHashes {
    table: Vec<u64>,
    count: usize,
}

impl SeenHashes {
    pub fn add_hash(&mut self, hash: u64) {
        // Zero marks a free place.
        let hash = hash.max(1);
        if self.count >= MOST_SEEN {
            return;
        }
        if (self.count + 1) * 2 > self.table.len() {
            self.grow();
        }
        self.count += usize::from(self.insert(hash));
    }

    pub fn count_hashes(&self) -> u64 {
        self.count as u64
    }

    fn grow(&mut self) {
        let larger = vec![0; (self.table.len() * 2).max(8)];
        for hash in core::mem::replace(&mut self.table, larger) {
            if hash != 0 {
                self.insert(hash);
            }
        }
    }

    /// False if it was there.
    fn insert(&mut self, hash: u64) -> bool {
        let mask = self.table.len() - 1;
        let mut at = (hash >> 20) as usize & mask;
        while self.table[at] != 0 {
            if self.table[at] == hash {
                return false;
            }
            at = (at + 1) & mask;
        }
        self.table[at] = hash;
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once_up_to_the_limit() {
        let mut seen = SeenHashes::default();
        for hash in (0..100_u64).chain(0..100) {
            seen.add_hash(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        assert_eq!(seen.count_hashes(), 100);
        for hash in 0..100_000_u64 {
            seen.add_hash(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15));
        }
        assert_eq!(seen.count_hashes(), MOST_SEEN as u64);
    }
}
