//! A number in memory that all CPUs share: it is loaded, added to, and stored where it was.

use std::collections::HashMap;

use aya_obj::generated::{
    BPF_ADD, BPF_ALU, BPF_ALU64, BPF_JMP, BPF_JMP32, BPF_LD, BPF_LDX, BPF_MEM, BPF_MOV, BPF_STX,
    bpf_insn,
};

use super::instruction::{STACK, class_of, mode_of, operation_of, takes_register};

/// A number that a register has from memory.
#[derive(Clone, Copy)]
struct Number {
    /// The register with the address, and what is added to that.
    base: u8,
    off: i16,
    /// Something was added to the number.
    is_sum: bool,
}

pub fn loses_updates(instructions: &[bpf_insn]) -> bool {
    let mut numbers = HashMap::new();
    let mut each = instructions.iter();
    while let Some(instruction) = each.next() {
        let (dst, src) = (instruction.dst_reg(), instruction.src_reg());
        let is_memory = mode_of(instruction) == BPF_MEM;
        match class_of(instruction) {
            BPF_STX => {
                let is_back = |number: &Number| {
                    number.is_sum && number.base == dst && number.off == instruction.off
                };
                if is_memory && numbers.get(&src).is_some_and(is_back) {
                    return true;
                }
            }
            BPF_LDX if is_memory && src != STACK && src != dst => {
                let number = Number {
                    base: src,
                    off: instruction.off,
                    is_sum: false,
                };
                write_register(&mut numbers, dst, Some(number));
            }
            BPF_ALU64 | BPF_ALU => {
                let number = calculate(&numbers, instruction);
                write_register(&mut numbers, dst, number);
            }
            // Code that comes from elsewhere, or a call, may change every register.
            BPF_JMP | BPF_JMP32 => numbers.clear(),
            BPF_LD => {
                write_register(&mut numbers, dst, None);
                // Its other half.
                each.next();
            }
            BPF_LDX => write_register(&mut numbers, dst, None),
            _ => {}
        }
    }
    false
}

/// What becomes of the number in `dst`.
fn calculate(numbers: &HashMap<u8, Number>, instruction: &bpf_insn) -> Option<Number> {
    let number_in = |register: u8| numbers.get(&register).copied();
    match (operation_of(instruction), takes_register(instruction)) {
        (BPF_ADD, true) => number_in(instruction.dst_reg()).or(number_in(instruction.src_reg())),
        (BPF_ADD, false) => number_in(instruction.dst_reg()),
        (BPF_MOV, true) => return number_in(instruction.src_reg()),
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

    const CALL: u8 = 0x85;
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
