//! The maps that a judge looks into, as the exercise's task describes them.

use std::mem;

use crate::library::MapShape;

pub struct MapSpec {
    pub name: &'static str,
    kind: Kind,
    key_size: u32,
    value_size: u32,
}

#[derive(Clone, Copy)]
enum Kind {
    Array,
    PerCpuArray,
    Hash,
    PerCpuHash,
    RingBuf,
    StackTrace,
}

/// What `BPF_MAP_TYPE_*` number this is, in words.
const KINDS: [(u32, &str); 13] = [
    (1, "a hash"),
    (2, "an array"),
    (3, "a program array"),
    (4, "a perf event array"),
    (5, "a per-CPU hash"),
    (6, "a per-CPU array"),
    (7, "a stack trace map"),
    (9, "an LRU hash"),
    (10, "a per-CPU LRU hash"),
    (11, "an LPM trie"),
    (22, "a queue"),
    (23, "a stack"),
    (27, "a ring buffer"),
];

impl Kind {
    /// The map types that do: a hash may forget its oldest entries.
    fn numbers(self) -> &'static [u32] {
        match self {
            Self::Array => &[2],
            Self::PerCpuArray => &[6],
            Self::Hash => &[1, 9],
            Self::PerCpuHash => &[5, 10],
            Self::RingBuf => &[27],
            Self::StackTrace => &[7],
        }
    }
}

fn in_words(kind: u32) -> String {
    let word = KINDS.iter().find(|(number, _)| *number == kind);
    word.map_or_else(
        || format!("a map of type {kind}"),
        |(_, word)| (*word).to_owned(),
    )
}

const fn size<T>() -> u32 {
    mem::size_of::<T>() as u32
}

impl MapSpec {
    pub const fn array<V>(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Array,
            key_size: size::<u32>(),
            value_size: size::<V>(),
        }
    }

    pub const fn per_cpu_array<V>(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::PerCpuArray,
            key_size: size::<u32>(),
            value_size: size::<V>(),
        }
    }

    pub const fn hash<K, V>(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::Hash,
            key_size: size::<K>(),
            value_size: size::<V>(),
        }
    }

    pub const fn per_cpu_hash<K, V>(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::PerCpuHash,
            key_size: size::<K>(),
            value_size: size::<V>(),
        }
    }

    /// Its records have their own sizes.
    pub const fn ring_buf(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::RingBuf,
            key_size: 0,
            value_size: 0,
        }
    }

    /// It holds stacks as deep as the answer likes.
    pub const fn stack_trace(name: &'static str) -> Self {
        Self {
            name,
            kind: Kind::StackTrace,
            key_size: size::<u32>(),
            value_size: 0,
        }
    }

    /// What is wrong with the map of this name.
    pub fn find_mistake(
        &self,
        MapShape {
            kind,
            key_size,
            value_size,
            ..
        }: &MapShape,
    ) -> Option<String> {
        let Self {
            name, kind: right, ..
        } = self;
        if !right.numbers().contains(kind) {
            let words: Vec<String> = right
                .numbers()
                .iter()
                .map(|number| in_words(*number))
                .collect();
            return Some(format!(
                "{name} is {}, and should be {}",
                in_words(*kind),
                words.join(" or ")
            ));
        }
        let wrong = |part: &str, is: u32, should: u32| {
            (is != should)
                .then(|| format!("{name}'s {part} has {is} bytes, and should have {should}"))
        };
        match right {
            Kind::RingBuf => None,
            Kind::StackTrace => wrong("key", *key_size, self.key_size),
            _ => wrong("key", *key_size, self.key_size)
                .or_else(|| wrong("value", *value_size, self.value_size)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mistake(spec: &MapSpec, kind: u32, key_size: u32, value_size: u32) -> Option<String> {
        spec.find_mistake(&MapShape {
            name: "FAILED".to_owned(),
            kind,
            key_size,
            value_size,
        })
    }

    #[test]
    fn a_wrong_size_or_type_is_told_with_the_right_one() {
        let spec = MapSpec::hash::<u32, u64>("FAILED");
        assert_eq!(mistake(&spec, 1, 4, 8), None);
        assert_eq!(mistake(&spec, 9, 4, 8), None);
        let told = |kind, key, value| mistake(&spec, kind, key, value).unwrap();
        assert_eq!(told(1, 8, 8), "FAILED's key has 8 bytes, and should have 4");
        assert_eq!(
            told(1, 4, 16),
            "FAILED's value has 16 bytes, and should have 8"
        );
        assert_eq!(
            told(2, 4, 8),
            "FAILED is an array, and should be a hash or an LRU hash"
        );
        assert_eq!(
            told(99, 4, 8),
            "FAILED is a map of type 99, and should be a hash or an LRU hash"
        );
    }

    #[test]
    fn a_stack_may_have_any_depth() {
        let spec = MapSpec::stack_trace("STACKS");
        assert_eq!(mistake(&spec, 7, 4, 127 * 8), None);
        assert_eq!(mistake(&spec, 7, 4, 16 * 8), None);
        let words = mistake(&spec, 7, 8, 127 * 8).unwrap();
        assert_eq!(words, "STACKS's key has 8 bytes, and should have 4");
    }

    #[test]
    fn a_ring_buffer_has_no_sizes() {
        assert_eq!(mistake(&MapSpec::ring_buf("FAILED"), 27, 0, 0), None);
        let words = mistake(&MapSpec::ring_buf("FAILED"), 4, 4, 4).unwrap();
        assert_eq!(
            words,
            "FAILED is a perf event array, and should be a ring buffer"
        );
    }
}
