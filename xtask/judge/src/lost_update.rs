//! Additions to a map that lose something when two CPUs add at the same moment.
//!
//! An emulated VM cannot show it: QEMU turns to the next CPU between blocks of code, and a plain
//! addition is within one block. On a machine whose CPUs really run at the same time, it loses.

use std::collections::HashMap;

use aya_obj::Object;
use aya_obj::generated::{bpf_insn, bpf_map_type};

/// The part of a code that says what an instruction works on.
const CLASS: u8 = 0x07;
const LOAD_CONSTANT: u8 = 0x00;
const LOAD: u8 = 0x01;
const STORE_REGISTER: u8 = 0x03;
const ALU_32: u8 = 0x04;
const JUMP: u8 = 0x05;
const JUMP_32: u8 = 0x06;
const ALU_64: u8 = 0x07;

/// The part of a load or a store that says how.
const MODE: u8 = 0xe0;
const MEMORY: u8 = 0x60;

/// The part of a calculation that says which one.
const OPERATION: u8 = 0xf0;
const ADD: u8 = 0x00;
const MOVE: u8 = 0xb0;

const FROM_REGISTER: u8 = 0x08;
const CALL: u8 = 0x85;
const STACK: u8 = 10;

/// `bpf_get_smp_processor_id`: it may give each CPU its own entry.
const CPU_NUMBER: i32 = 8;
const SPIN_LOCK: i32 = 93;

/// Each CPU has values of its own there.
const PER_CPU: [bpf_map_type; 3] = [
    bpf_map_type::BPF_MAP_TYPE_PERCPU_HASH,
    bpf_map_type::BPF_MAP_TYPE_PERCPU_ARRAY,
    bpf_map_type::BPF_MAP_TYPE_LRU_PERCPU_HASH,
];

/// The function of this object file that loads a number from memory which all CPUs share, adds to
/// it, and stores it. `None` also where something in the object may keep CPUs apart.
pub fn find_lost_update(object: &[u8]) -> Option<String> {
    let object = Object::parse(object).ok()?;
    let is_per_cpu = |map: &aya_obj::Map| {
        let kind = map.map_type();
        PER_CPU.iter().any(|per_cpu| *per_cpu as u32 == kind)
    };
    let keeps_apart = |instruction: &bpf_insn| {
        instruction.code == CALL
            && instruction.src_reg() == 0
            && [CPU_NUMBER, SPIN_LOCK].contains(&instruction.imm)
    };
    let functions = object.functions.values();
    let mut instructions = functions
        .clone()
        .flat_map(|function| &function.instructions);
    if object.maps.values().any(is_per_cpu) || instructions.any(keeps_apart) {
        return None;
    }
    functions
        .into_iter()
        .find(|function| loses_updates(&function.instructions))
        .map(|function| function.name.clone())
}

/// A number that a register has from memory.
#[derive(Clone, Copy)]
struct Number {
    /// The register with the address, and what is added to that.
    base: u8,
    off: i16,
    /// Something was added to the number.
    is_sum: bool,
}

fn loses_updates(instructions: &[bpf_insn]) -> bool {
    let mut numbers = HashMap::new();
    let mut each = instructions.iter();
    while let Some(instruction) = each.next() {
        let (code, dst, src) = (
            instruction.code,
            instruction.dst_reg(),
            instruction.src_reg(),
        );
        match code & CLASS {
            STORE_REGISTER => {
                let is_back = |number: &Number| {
                    number.is_sum && number.base == dst && number.off == instruction.off
                };
                if code & MODE == MEMORY && numbers.get(&src).is_some_and(is_back) {
                    return true;
                }
            }
            LOAD if code & MODE == MEMORY && src != STACK && src != dst => {
                let number = Number {
                    base: src,
                    off: instruction.off,
                    is_sum: false,
                };
                write_register(&mut numbers, dst, Some(number));
            }
            ALU_64 | ALU_32 => {
                let number = calculate(&numbers, instruction);
                write_register(&mut numbers, dst, number);
            }
            // Code that comes from elsewhere, or a call, may change every register.
            JUMP | JUMP_32 => numbers.clear(),
            LOAD_CONSTANT => {
                write_register(&mut numbers, dst, None);
                // Its other half.
                each.next();
            }
            LOAD => write_register(&mut numbers, dst, None),
            _ => {}
        }
    }
    false
}

/// What becomes of the number in `dst`.
fn calculate(numbers: &HashMap<u8, Number>, instruction: &bpf_insn) -> Option<Number> {
    let number_in = |register: u8| numbers.get(&register).copied();
    match (
        instruction.code & OPERATION,
        instruction.code & FROM_REGISTER != 0,
    ) {
        (ADD, true) => number_in(instruction.dst_reg()).or(number_in(instruction.src_reg())),
        (ADD, false) => number_in(instruction.dst_reg()),
        (MOVE, true) => return number_in(instruction.src_reg()),
        _ => return None,
    }
    .map(|number| Number {
        is_sum: true,
        ..number
    })
}

fn write_register(numbers: &mut HashMap<u8, Number>, register: u8, number: Option<Number>) {
    // Addresses that were in it are no longer known.
    numbers.retain(|_, known| known.base != register);
    match number {
        Some(number) => numbers.insert(register, number),
        None => numbers.remove(&register),
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD_U64: u8 = 0x79;
    const STORE_U64: u8 = 0x7b;
    const ATOMIC_U64: u8 = 0xdb;
    const ADD_CONSTANT: u8 = 0x07;
    const ADD_REGISTER: u8 = 0x0f;
    const MOVE_REGISTER: u8 = 0xbf;

    fn instruction(code: u8, dst: u8, src: u8, off: i16) -> bpf_insn {
        bpf_insn {
            code,
            _bitfield_align_1: [],
            _bitfield_1: bpf_insn::new_bitfield_1(dst, src),
            off,
            imm: 1,
        }
    }

    fn loses(each: &[(u8, u8, u8, i16)]) -> bool {
        let each = each.iter();
        let program: Vec<_> = each
            .map(|&(code, dst, src, off)| instruction(code, dst, src, off))
            .collect();
        loses_updates(&program)
    }

    #[test]
    fn a_number_that_is_loaded_added_to_and_stored() {
        assert!(loses(&[
            (LOAD_U64, 1, 0, 8),
            (ADD_CONSTANT, 1, 0, 0),
            (STORE_U64, 0, 1, 8)
        ]));
        // The other operand has it.
        assert!(loses(&[
            (LOAD_U64, 1, 0, 0),
            (ADD_REGISTER, 2, 1, 0),
            (STORE_U64, 0, 2, 0)
        ]));
        assert!(loses(&[
            (LOAD_U64, 1, 0, 0),
            (MOVE_REGISTER, 3, 1, 0),
            (ADD_CONSTANT, 3, 0, 0),
            (STORE_U64, 0, 3, 0)
        ]));
    }

    #[test]
    fn what_loses_nothing() {
        assert!(!loses(&[(ATOMIC_U64, 0, 1, 8)]));
        // Stored as it is, to another place, on the stack, or where another entry may be by now.
        assert!(!loses(&[(LOAD_U64, 1, 0, 8), (STORE_U64, 0, 1, 8)]));
        let elsewhere = (STORE_U64, 0, 1, 16);
        assert!(!loses(&[
            (LOAD_U64, 1, 0, 8),
            (ADD_CONSTANT, 1, 0, 0),
            elsewhere
        ]));
        let stack = (STORE_U64, 10, 1, -8);
        assert!(!loses(&[
            (LOAD_U64, 1, 10, -8),
            (ADD_CONSTANT, 1, 0, 0),
            stack
        ]));
        assert!(!loses(&[
            (LOAD_U64, 1, 0, 8),
            (ADD_CONSTANT, 1, 0, 0),
            (MOVE_REGISTER, 0, 6, 0),
            (STORE_U64, 0, 1, 8)
        ]));
        assert!(!loses(&[
            (LOAD_U64, 1, 0, 8),
            (ADD_CONSTANT, 1, 0, 0),
            (CALL, 0, 0, 0),
            (STORE_U64, 0, 1, 8)
        ]));
    }
}
