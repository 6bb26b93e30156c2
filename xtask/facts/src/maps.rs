//! Map types, the sizes that they take, and what an LRU map keeps.

use std::io;

use anyhow::{Context as _, Result};
use libbpf_sys as sys_types;
use nix::sys::resource::RLIM_INFINITY;

use crate::names::RunningNames;
use crate::print::{print_fact, print_whether};
use crate::sys::{self, Map};

/// By what follows `BPF_MAP_TYPE_`.
const TYPES: [(&str, u32); 30] = [
    ("HASH", sys_types::BPF_MAP_TYPE_HASH),
    ("ARRAY", sys_types::BPF_MAP_TYPE_ARRAY),
    ("PROG_ARRAY", sys_types::BPF_MAP_TYPE_PROG_ARRAY),
    ("PERF_EVENT_ARRAY", sys_types::BPF_MAP_TYPE_PERF_EVENT_ARRAY),
    ("PERCPU_HASH", sys_types::BPF_MAP_TYPE_PERCPU_HASH),
    ("PERCPU_ARRAY", sys_types::BPF_MAP_TYPE_PERCPU_ARRAY),
    ("STACK_TRACE", sys_types::BPF_MAP_TYPE_STACK_TRACE),
    ("CGROUP_ARRAY", sys_types::BPF_MAP_TYPE_CGROUP_ARRAY),
    ("LRU_HASH", sys_types::BPF_MAP_TYPE_LRU_HASH),
    ("LRU_PERCPU_HASH", sys_types::BPF_MAP_TYPE_LRU_PERCPU_HASH),
    ("LPM_TRIE", sys_types::BPF_MAP_TYPE_LPM_TRIE),
    ("ARRAY_OF_MAPS", sys_types::BPF_MAP_TYPE_ARRAY_OF_MAPS),
    ("HASH_OF_MAPS", sys_types::BPF_MAP_TYPE_HASH_OF_MAPS),
    ("DEVMAP", sys_types::BPF_MAP_TYPE_DEVMAP),
    ("SOCKMAP", sys_types::BPF_MAP_TYPE_SOCKMAP),
    ("CPUMAP", sys_types::BPF_MAP_TYPE_CPUMAP),
    ("XSKMAP", sys_types::BPF_MAP_TYPE_XSKMAP),
    ("SOCKHASH", sys_types::BPF_MAP_TYPE_SOCKHASH),
    ("CGROUP_STORAGE", sys_types::BPF_MAP_TYPE_CGROUP_STORAGE),
    (
        "REUSEPORT_SOCKARRAY",
        sys_types::BPF_MAP_TYPE_REUSEPORT_SOCKARRAY,
    ),
    ("QUEUE", sys_types::BPF_MAP_TYPE_QUEUE),
    ("STACK", sys_types::BPF_MAP_TYPE_STACK),
    ("SK_STORAGE", sys_types::BPF_MAP_TYPE_SK_STORAGE),
    ("DEVMAP_HASH", sys_types::BPF_MAP_TYPE_DEVMAP_HASH),
    ("RINGBUF", sys_types::BPF_MAP_TYPE_RINGBUF),
    ("INODE_STORAGE", sys_types::BPF_MAP_TYPE_INODE_STORAGE),
    ("TASK_STORAGE", sys_types::BPF_MAP_TYPE_TASK_STORAGE),
    ("BLOOM_FILTER", sys_types::BPF_MAP_TYPE_BLOOM_FILTER),
    ("USER_RINGBUF", sys_types::BPF_MAP_TYPE_USER_RINGBUF),
    ("CGRP_STORAGE", sys_types::BPF_MAP_TYPE_CGRP_STORAGE),
];

pub fn print_facts(names: &RunningNames) -> Result<()> {
    for (name, kind) in TYPES {
        print_whether(&format!("map/{name}"), sys::has_map_type(kind));
    }
    // libbpf's way to try the first fails on kernels that have it; the second needs an instruction
    // of the CPU that an emulated one may lack. So these two are looked up by name.
    for name in ["STRUCT_OPS", "ARENA"] {
        let kind = names.enum_value("bpf_map_type", &format!("BPF_MAP_TYPE_{name}"));
        print_whether(&format!("map/{name}"), kind.is_some());
    }
    // These are newer than what libbpf knows how to try.
    for (name, flags) in [
        ("INSN_ARRAY", [0, 0]),
        ("RHASH", [0, sys_types::BPF_F_NO_PREALLOC]),
    ] {
        let kind = names.enum_value("bpf_map_type", &format!("BPF_MAP_TYPE_{name}"));
        let created = flags.map(|flags| kind.map(|kind| create(kind as u32, flags)));
        print_whether(
            &format!("map/{name}"),
            created.iter().flatten().any(io::Result::is_ok),
        );
        if name == "RHASH" {
            print_whether(
                "map/RHASH without BPF_F_NO_PREALLOC",
                matches!(created[0], Some(Ok(_))),
            );
        }
    }
    print_sizes();
    print_whether(
        "memory/maps do not count as locked memory",
        !locked_memory_limits_maps()?,
    );
    print_lru()
}

fn create(kind: u32, flags: u32) -> io::Result<std::os::fd::OwnedFd> {
    // The kernel writes the places of instructions into values of this size.
    let value_size = if kind == sys_types::BPF_MAP_TYPE_INSN_ARRAY {
        16
    } else {
        8
    };
    Map {
        kind,
        key_size: 4,
        value_size,
        max_entries: 8,
        flags,
        ..Map::default()
    }
    .create_map()
}

fn print_sizes() {
    let hash = |key_size| Map {
        kind: sys_types::BPF_MAP_TYPE_HASH,
        key_size,
        value_size: 8,
        max_entries: 1,
        ..Map::default()
    };
    let array = |value_size| Map {
        kind: sys_types::BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size,
        max_entries: 1,
        ..Map::default()
    };
    for (name, map) in [
        ("a key of 512 bytes in a hash", hash(512)),
        ("a key of 513 bytes in a hash", hash(513)),
        (
            "a value of 4 MiB less 64 bytes in an array",
            array((4 << 20) - 64),
        ),
        ("a value of 8 MiB in an array", array(8 << 20)),
    ] {
        let result = map
            .create_map()
            .map_or_else(|error| sys::error_number(&error), |_| "yes".to_owned());
        print_fact(&format!("size/{name}"), result);
    }
}

/// Whether a map counts against RLIMIT_MEMLOCK, also for root.
fn locked_memory_limits_maps() -> Result<bool> {
    let map = Map {
        kind: sys_types::BPF_MAP_TYPE_ARRAY,
        key_size: 4,
        value_size: 8,
        max_entries: 1 << 17,
        ..Map::default()
    };
    sys::limit_locked_memory(4096).context("cannot lower the limit of locked memory")?;
    let created = map.create_map();
    sys::limit_locked_memory(RLIM_INFINITY).context("cannot raise the limit of locked memory")?;
    Ok(created.is_err())
}

/// 1,000 keys, from one CPU, into LRU maps with room for as many.
fn print_lru() -> Result<()> {
    const ROOM: u32 = 1000;
    sys::stay_on_first_cpu().context("cannot stay on one CPU")?;
    for (name, flags) in [
        ("", 0),
        (" with BPF_F_NO_COMMON_LRU", sys_types::BPF_F_NO_COMMON_LRU),
    ] {
        let kind = sys_types::BPF_MAP_TYPE_LRU_HASH;
        let map = Map {
            kind,
            key_size: 4,
            value_size: 8,
            max_entries: ROOM,
            flags,
            ..Map::default()
        };
        let map = map.create_map().context("cannot create an LRU map")?;
        for key in 0..ROOM {
            sys::update_map(&map, key, &[1]).with_context(|| format!("cannot add key {key}"))?;
        }
        let left = (0..ROOM)
            .filter(|key| sys::read_map::<1>(&map, *key).is_ok())
            .count();
        print_fact(&format!("lru/of 1000 keys in a map for 1000{name}"), left);
    }
    Ok(())
}
