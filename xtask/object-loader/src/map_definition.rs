//! Sizes of maps. A user-space program may set them before it loads the object, so an object can
//! have maps that no kernel takes as they are. Its programs are to be judged all the same.

use std::os::fd::{FromRawFd as _, OwnedFd};
use std::{io, ptr};

use libbpf_sys::{
    BPF_MAP_TYPE_BLOOM_FILTER, BPF_MAP_TYPE_CGROUP_STORAGE, BPF_MAP_TYPE_CGRP_STORAGE,
    BPF_MAP_TYPE_DEVMAP_HASH, BPF_MAP_TYPE_HASH, BPF_MAP_TYPE_HASH_OF_MAPS,
    BPF_MAP_TYPE_INODE_STORAGE, BPF_MAP_TYPE_LRU_HASH, BPF_MAP_TYPE_LRU_PERCPU_HASH,
    BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE, BPF_MAP_TYPE_PERCPU_HASH, BPF_MAP_TYPE_PERF_EVENT_ARRAY,
    BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_RINGBUF, BPF_MAP_TYPE_SK_STORAGE, BPF_MAP_TYPE_SOCKHASH,
    BPF_MAP_TYPE_STACK, BPF_MAP_TYPE_STACK_TRACE, BPF_MAP_TYPE_STRUCT_OPS,
    BPF_MAP_TYPE_TASK_STORAGE, BPF_MAP_TYPE_UNSPEC, BPF_MAP_TYPE_USER_RINGBUF, bpf_map_create_opts,
};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MapDefinition {
    pub map_type: u32,
    pub key_size: u32,
    pub value_size: u32,
    pub max_entries: u32,
}

/// Bytes that one map may take in a guest. An object may have dozens of maps.
const LIMIT: u64 = 4 << 20;

/// The smallest ring buffer.
const PAGE: u32 = 4096;

/// Bytes of the deepest stack that a kernel keeps by default.
const STACK: u32 = 127 * 8;

/// What the kernel keeps beside each key and value.
const OVERHEAD: u64 = 64;

impl MapDefinition {
    /// Makes a map without a name.
    pub fn create(self, map_flags: u32) -> io::Result<OwnedFd> {
        let options = bpf_map_create_opts {
            sz: size_of::<bpf_map_create_opts>() as u64,
            map_flags,
            ..bpf_map_create_opts::default()
        };
        // SAFETY: a name is not wanted, and the options outlive the call.
        let descriptor = unsafe {
            libbpf_sys::bpf_map_create(
                self.map_type,
                ptr::null(),
                self.key_size,
                self.value_size,
                self.max_entries,
                &raw const options,
            )
        };
        if descriptor < 0 {
            return Err(io::Error::from_raw_os_error(-descriptor));
        }
        // SAFETY: it is new, and nobody else has it.
        Ok(unsafe { OwnedFd::from_raw_fd(descriptor) })
    }

    /// The shape that a kernel takes and a guest has room for, with a word on each difference.
    /// `entries`: what the user asked for.
    pub fn fit(self, name: &str, entries: Option<u32>, cpus: u32) -> (Self, Vec<String>) {
        let mut notes = Vec::new();
        let mut shape = self.with_kernel_sizes(name, &mut notes);
        if let Some(entries) = entries {
            shape.max_entries = entries;
            return (shape, notes);
        }
        if shape.max_entries == 0 && shape.needs_entries() {
            shape.max_entries = if shape.is_ring_buffer() { PAGE } else { 1 };
            let unit = if shape.is_ring_buffer() { " bytes" } else { "" };
            notes.push(format!(
                "map {name}: it has no max_entries; made with {}{unit} (--map {name}=ENTRIES)",
                shape.max_entries
            ));
        }
        let fitting = shape.fitting_entries(cpus);
        if fitting < shape.max_entries {
            notes.push(format!(
                "map {name}: made with max_entries {fitting} in place of {}, to fit into this VM",
                shape.max_entries
            ));
            shape.max_entries = fitting;
        }
        (shape, notes)
    }

    /// Types whose keys and values have one size only. cilium/ebpf sets it, whatever the object
    /// says; libbpf leaves it to the kernel to refuse another.
    fn with_kernel_sizes(mut self, name: &str, notes: &mut Vec<String>) -> Self {
        if self.map_type == BPF_MAP_TYPE_STACK_TRACE && self.value_size == 0 {
            self.value_size = STACK;
            notes.push(format!(
                "map {name}: it has no value_size; made with {STACK}, a stack of 127 addresses"
            ));
        }
        let wanted = match self.map_type {
            _ if self.is_ring_buffer() => 0,
            BPF_MAP_TYPE_PERF_EVENT_ARRAY => 4,
            _ => return self,
        };
        for (field, size) in [
            ("key_size", &mut self.key_size),
            ("value_size", &mut self.value_size),
        ] {
            if *size != wanted {
                notes.push(format!(
                    "map {name}: {field} {size} set to {wanted}, as cilium/ebpf does"
                ));
                *size = wanted;
            }
        }
        self
    }

    fn is_ring_buffer(self) -> bool {
        matches!(
            self.map_type,
            BPF_MAP_TYPE_RINGBUF | BPF_MAP_TYPE_USER_RINGBUF
        )
    }

    /// Storages have no size, and libbpf and aya give an array of perf events one entry a CPU.
    fn needs_entries(self) -> bool {
        !matches!(
            self.map_type,
            BPF_MAP_TYPE_UNSPEC
                | BPF_MAP_TYPE_CGROUP_STORAGE
                | BPF_MAP_TYPE_PERCPU_CGROUP_STORAGE
                | BPF_MAP_TYPE_CGRP_STORAGE
                | BPF_MAP_TYPE_SK_STORAGE
                | BPF_MAP_TYPE_INODE_STORAGE
                | BPF_MAP_TYPE_TASK_STORAGE
                | BPF_MAP_TYPE_STRUCT_OPS
                | BPF_MAP_TYPE_PERF_EVENT_ARRAY
        )
    }

    /// As many entries as a guest has room for. Only of types whose size the verifier never looks
    /// at: an array's is the limit of constant indexes.
    fn fitting_entries(self, cpus: u32) -> u32 {
        let copies = match self.map_type {
            BPF_MAP_TYPE_PERCPU_HASH | BPF_MAP_TYPE_LRU_PERCPU_HASH => cpus,
            BPF_MAP_TYPE_HASH
            | BPF_MAP_TYPE_LRU_HASH
            | BPF_MAP_TYPE_HASH_OF_MAPS
            | BPF_MAP_TYPE_STACK_TRACE
            | BPF_MAP_TYPE_SOCKHASH
            | BPF_MAP_TYPE_DEVMAP_HASH
            | BPF_MAP_TYPE_QUEUE
            | BPF_MAP_TYPE_STACK
            | BPF_MAP_TYPE_BLOOM_FILTER => 1,
            _ if self.is_ring_buffer() => return self.max_entries.min(LIMIT as u32),
            _ => return self.max_entries,
        };
        let value = u64::from(self.value_size) * u64::from(copies);
        let entry = OVERHEAD + u64::from(self.key_size) + value;
        if entry * u64::from(self.max_entries) <= LIMIT {
            return self.max_entries;
        }
        // An LRU map wants some for each CPU.
        self.max_entries.min((LIMIT / entry).clamp(64, 4096) as u32)
    }
}

#[cfg(test)]
mod tests {
    use libbpf_sys::BPF_MAP_TYPE_ARRAY;

    use super::*;

    fn definition(map_type: u32, sizes: [u32; 3]) -> MapDefinition {
        let [key_size, value_size, max_entries] = sizes;
        MapDefinition {
            map_type,
            key_size,
            value_size,
            max_entries,
        }
    }

    fn fit(map_type: u32, sizes: [u32; 3]) -> (u32, Vec<String>) {
        let (shape, notes) = definition(map_type, sizes).fit("m", None, 2);
        (shape.max_entries, notes)
    }

    #[test]
    fn a_map_without_a_size_gets_the_smallest() {
        let (entries, notes) = fit(BPF_MAP_TYPE_HASH, [4, 8, 0]);
        assert_eq!(entries, 1);
        assert_eq!(
            notes,
            ["map m: it has no max_entries; made with 1 (--map m=ENTRIES)"]
        );
        let (entries, notes) = fit(BPF_MAP_TYPE_RINGBUF, [0, 0, 0]);
        assert_eq!(entries, PAGE);
        assert!(notes[0].contains("made with 4096 bytes"), "{notes:?}");
        for map_type in [BPF_MAP_TYPE_TASK_STORAGE, BPF_MAP_TYPE_SK_STORAGE] {
            assert_eq!(fit(map_type, [4, 8, 0]), (0, vec![]));
        }
        assert_eq!(fit(BPF_MAP_TYPE_PERF_EVENT_ARRAY, [4, 4, 0]), (0, vec![]));
    }

    #[test]
    fn large_maps_shrink_unless_the_verifier_looks() {
        assert_eq!(fit(BPF_MAP_TYPE_HASH, [8, 8, 3_000_000]).0, 4096);
        assert_eq!(fit(BPF_MAP_TYPE_STACK_TRACE, [4, 1016, 10_240]).0, 3869);
        assert_eq!(fit(BPF_MAP_TYPE_RINGBUF, [0, 0, 1 << 28]).0, 4 << 20);
        assert_eq!(fit(BPF_MAP_TYPE_HASH, [4, 1 << 22, 100]).0, 64);
        for kept in [
            (BPF_MAP_TYPE_HASH, [8, 8, 10_240]),
            (BPF_MAP_TYPE_ARRAY, [4, 8, 3_000_000]),
            (BPF_MAP_TYPE_LRU_PERCPU_HASH, [4, 8, 16_384]),
        ] {
            assert_eq!(fit(kept.0, kept.1), (kept.1[2], vec![]));
        }
    }

    /// bcc's tools set both sizes by their options.
    #[test]
    fn stacks_have_a_default_depth() {
        let stacks = definition(BPF_MAP_TYPE_STACK_TRACE, [4, 0, 0]);
        let (found, notes) = stacks.fit("stackmap", None, 2);
        assert_eq!(found, definition(BPF_MAP_TYPE_STACK_TRACE, [4, 1016, 1]));
        assert_eq!(
            notes[0],
            "map stackmap: it has no value_size; made with 1016, a stack of 127 addresses"
        );
    }

    #[test]
    fn a_typed_ring_buffer_loses_its_type() {
        let (found, notes) = definition(BPF_MAP_TYPE_RINGBUF, [0, 16, 4096]).fit("typed", None, 2);
        assert_eq!(found, definition(BPF_MAP_TYPE_RINGBUF, [0, 0, 4096]));
        assert_eq!(
            notes,
            ["map typed: value_size 16 set to 0, as cilium/ebpf does"]
        );
    }

    #[test]
    fn what_the_user_asks_for_is_taken() {
        let (found, notes) = definition(BPF_MAP_TYPE_HASH, [8, 8, 3_000_000]).fit("m", Some(7), 2);
        assert_eq!((found.max_entries, notes), (7, vec![]));
    }
}
