//! Additions to a map that lose something when two CPUs add at the same moment.
//!
//! An emulated VM cannot be relied on to show it: QEMU turns to the next CPU between blocks of
//! code, and seldom. On a machine whose CPUs really run at the same time, they lose.
//!
//! ```text
//!   instruction    the parts of an instruction's code
//!   in_place       a number in memory that is loaded, added to, and stored
//!   written_back   a number of a map that is added to, and written with a call of the kernel
//! ```

mod in_place;
mod instruction;
mod written_back;

use aya_obj::Object;
use aya_obj::generated::{bpf_insn, bpf_map_type};

use self::instruction::helper_of;

/// `bpf_get_smp_processor_id`: it may give each CPU its own entry.
const CPU_NUMBER: i32 = 8;
const SPIN_LOCK: i32 = 93;

/// Each CPU has values of its own there.
const PER_CPU: [bpf_map_type; 3] = [
    bpf_map_type::BPF_MAP_TYPE_PERCPU_HASH,
    bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY,
    bpf_map_type::BPF_MAP_TYPE_LRU_PERCPU_HASH,
];

/// What the functions of this object file do that loses updates, in words: the first one. `None`
/// also where something in the object may keep CPUs apart.
pub fn find_lost_update(object: &[u8]) -> Option<String> {
    let object = Object::parse(object).ok()?;
    let is_per_cpu = |map: &aya_obj::Map| {
        let kind = map.map_type();
        PER_CPU.iter().any(|per_cpu| *per_cpu as u32 == kind)
    };
    let keeps_apart = |instruction: &bpf_insn| {
        helper_of(instruction).is_some_and(|helper| [CPU_NUMBER, SPIN_LOCK].contains(&helper))
    };
    let functions = object.functions.values();
    let mut instructions = functions
        .clone()
        .flat_map(|function| &function.instructions);
    if object.maps.values().any(is_per_cpu) || instructions.any(keeps_apart) {
        return None;
    }
    functions.into_iter().find_map(|function| {
        let (name, instructions) = (&function.name, &function.instructions);
        if in_place::loses_updates(instructions) {
            return Some(format!("{name} loads a number, adds to it, and stores it"));
        }
        written_back::loses_updates(instructions).then(|| {
            format!(
                "{name} adds to a number that it has from a map, and writes the sum with \
                 bpf_map_update_elem"
            )
        })
    })
}
