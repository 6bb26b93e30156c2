//! `.BTF_ids`, the section where the kernel keeps the BTF ids of functions that it allows for
//! something. Its sets have no names in an image without symbols.

use std::collections::HashSet;

/// What the section says, read in two ways.
pub struct IdSets {
    numbers: Vec<u32>,
}

impl IdSets {
    pub fn read_section(section: &[u8]) -> Self {
        let (words, _) = section.as_chunks();
        let numbers = words.iter().map(|word| u32::from_le_bytes(*word)).collect();
        Self { numbers }
    }

    /// All of its numbers: ids, and sizes of sets and flags, which are small.
    pub fn find_mentioned(&self) -> HashSet<u32> {
        self.numbers.iter().copied().collect()
    }

    /// The members of sets with flags: a size, the flags of the set, then ids in ascending order,
    /// each with its flags. Only of such sets is the second number 0 and each other number the id
    /// of a function. Until Linux 6.8 the set's own flags are always 0.
    pub fn find_flagged(&self, is_function: impl Fn(u32) -> bool) -> HashSet<u32> {
        let mut found = HashSet::new();
        for (start, &size) in self.numbers.iter().enumerate() {
            let rest = &self.numbers[start + 1..];
            let Some((0, members)) = rest.split_first() else {
                continue;
            };
            let Some(members) = members.get(..2 * size as usize) else {
                continue;
            };
            let (members, _) = members.as_chunks::<2>();
            let ascends = members.is_sorted_by(|[one, _], [other, _]| one < other);
            if ascends && members.iter().all(|[id, _]| is_function(*id)) {
                found.extend(members.iter().map(|[id, _]| *id));
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_sets_with_flags_are_read_as_such() {
        let plain_set = [2, 1000, 1001];
        let flagged_set = [2, 0, 1002, 4, 1005, 0];
        let list = [7, 1009];
        let sets = IdSets {
            numbers: [&plain_set[..], &flagged_set, &list].concat(),
        };
        let found = sets.find_flagged(|id| id >= 1000);
        assert_eq!(found, HashSet::from([1002, 1005]));
        assert!(sets.find_mentioned().contains(&1009));
    }

    #[test]
    fn a_set_that_goes_beyond_the_end_is_none() {
        let sets = IdSets {
            numbers: vec![3, 0, 1000, 0],
        };
        assert_eq!(sets.find_flagged(|_| true), HashSet::new());
    }
}
