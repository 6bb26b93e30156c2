//! A number of a map that is looked up, copied, added to, and written back with a call of the
//! kernel.
//!
//! Each path through the function is followed, and none twice with the same contents of registers
//! and stack.

use std::collections::HashSet;

use aya_obj::generated::{
    BPF_ADD, BPF_ALU, BPF_ALU64, BPF_CALL, BPF_EXIT, BPF_JA, BPF_JMP, BPF_JMP32, BPF_LD, BPF_LDX,
    BPF_MEM, BPF_MOV, BPF_ST, BPF_STX, bpf_insn,
};

use super::instruction::{
    STACK, class_of, helper_of, is_call, mode_of, operation_of, takes_register,
};

/// `bpf_map_lookup_elem`, and the one that writes.
const LOOK_UP: i32 = 1;
const UPDATE: i32 = 2;

/// What a helper may change.
const CHANGED_BY_CALL: std::ops::RangeInclusive<usize> = 0..=5;

/// The longest value of which a sum is looked for, in bytes.
const LONGEST_VALUE: i64 = 64;

/// Instructions that are followed at most: many times those of any program of a learner.
const MOST_STEPS: usize = 1 << 16;

#[derive(Clone, Copy, Default, Eq, Hash, PartialEq)]
enum Content {
    #[default]
    Unknown,
    /// The address of a value in a map.
    MapValue,
    /// A number from there.
    Number,
    /// Such a number, and something that was added.
    Sum,
    /// An address on the stack, counted from its end.
    OnStack(i64),
}

#[derive(Clone, Default, Eq, Hash, PartialEq)]
struct State {
    registers: [Content; 11],
    /// Where on the stack there are such numbers and sums.
    stack: Vec<(i64, Content)>,
}

pub fn loses_updates(instructions: &[bpf_insn]) -> bool {
    let mut begin = State::default();
    begin.registers[usize::from(STACK)] = Content::OnStack(0);
    let mut waiting = vec![(0, begin)];
    let mut seen = HashSet::new();
    let mut steps = 0;
    while let Some((mut at, mut state)) = waiting.pop() {
        while let Some(instruction) = instructions.get(at) {
            steps += 1;
            if steps > MOST_STEPS {
                return false;
            }
            if state.passes_sum(instruction) {
                return true;
            }
            let goal = jump_goal(at, instruction);
            if let Some(goal) = goal
                && seen.insert((goal, state.clone()))
            {
                waiting.push((goal, state.clone()));
            }
            if ends_path(instruction) {
                break;
            }
            state.follow(instruction);
            at += if is_wide(instruction) { 2 } else { 1 };
        }
    }
    false
}

fn is_wide(instruction: &bpf_insn) -> bool {
    class_of(instruction) == BPF_LD
}

/// Where a jump goes that is taken.
fn jump_goal(at: usize, instruction: &bpf_insn) -> Option<usize> {
    let (class, operation) = (class_of(instruction), operation_of(instruction));
    if !matches!(class, BPF_JMP | BPF_JMP32) || matches!(operation, BPF_CALL | BPF_EXIT) {
        return None;
    }
    // `gotol` has its distance in the constant.
    let distance = match (class, operation) {
        (BPF_JMP32, BPF_JA) => i64::from(instruction.imm),
        _ => i64::from(instruction.off),
    };
    usize::try_from(at as i64 + 1 + distance).ok()
}

/// What comes after this instruction is not reached from it.
fn ends_path(instruction: &bpf_insn) -> bool {
    let is_jump = matches!(class_of(instruction), BPF_JMP | BPF_JMP32);
    is_jump && matches!(operation_of(instruction), BPF_JA | BPF_EXIT)
}

impl State {
    fn follow(&mut self, instruction: &bpf_insn) {
        let dst = usize::from(instruction.dst_reg());
        let content = match class_of(instruction) {
            BPF_LD => Content::Unknown,
            BPF_LDX => self.load(instruction),
            BPF_ALU64 | BPF_ALU => self.calculate(instruction),
            BPF_ST | BPF_STX => return self.store(instruction),
            _ if is_call(instruction) => return self.call(instruction),
            _ => return,
        };
        if let Some(register) = self.registers.get_mut(dst) {
            *register = content;
        }
    }

    fn content(&self, register: u8) -> Content {
        self.registers
            .get(usize::from(register))
            .copied()
            .unwrap_or_default()
    }

    /// Where on the stack a load or a store works.
    fn place(&self, base: u8, off: i16) -> Option<i64> {
        match self.content(base) {
            Content::OnStack(at) => Some(at + i64::from(off)),
            _ => None,
        }
    }

    fn load(&self, instruction: &bpf_insn) -> Content {
        if mode_of(instruction) != BPF_MEM {
            return Content::Unknown;
        }
        let base = instruction.src_reg();
        if self.content(base) == Content::MapValue {
            return Content::Number;
        }
        let place = self.place(base, instruction.off);
        let found = self.stack.iter().find(|(at, _)| Some(*at) == place);
        found.map_or(Content::Unknown, |(_, content)| *content)
    }

    fn store(&mut self, instruction: &bpf_insn) {
        let Some(place) = self.place(instruction.dst_reg(), instruction.off) else {
            return;
        };
        self.stack.retain(|(at, _)| *at != place);
        let is_register = class_of(instruction) == BPF_STX;
        let content = self.content(instruction.src_reg());
        if is_register && matches!(content, Content::Number | Content::Sum) {
            self.stack.push((place, content));
        }
    }

    fn calculate(&self, instruction: &bpf_insn) -> Content {
        let from_register = takes_register(instruction);
        let before = self.content(instruction.dst_reg());
        let other = match from_register {
            true => self.content(instruction.src_reg()),
            false => Content::Unknown,
        };
        let is_number = |content| matches!(content, Content::Number | Content::Sum);
        match operation_of(instruction) {
            BPF_MOV => other,
            BPF_ADD if is_number(before) || is_number(other) => Content::Sum,
            BPF_ADD if !from_register => match before {
                Content::OnStack(at) => Content::OnStack(at + i64::from(instruction.imm)),
                _ => before,
            },
            _ => Content::Unknown,
        }
    }

    /// The value of an update is a sum, or holds one.
    fn passes_sum(&self, instruction: &bpf_insn) -> bool {
        let Content::OnStack(value) = self.content(3) else {
            return false;
        };
        let in_value = |at: i64| (value..value + LONGEST_VALUE).contains(&at);
        helper_of(instruction) == Some(UPDATE)
            && self
                .stack
                .iter()
                .any(|&(at, content)| content == Content::Sum && in_value(at))
    }

    fn call(&mut self, instruction: &bpf_insn) {
        self.registers[CHANGED_BY_CALL].fill(Content::Unknown);
        if helper_of(instruction) == Some(LOOK_UP) {
            self.registers[0] = Content::MapValue;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CALL: u8 = 0x85;
    /// In the place of a register: a function of the object is called.
    const OBJECT_FUNCTION: u8 = 1;
    const LOAD_U64: u8 = 0x79;
    const STORE_U64: u8 = 0x7b;
    const ADD_CONSTANT: u8 = 0x07;
    const SUBTRACT_CONSTANT: u8 = 0x17;
    const MOVE_REGISTER: u8 = 0xbf;
    const MOVE_CONSTANT: u8 = 0xb7;
    const JUMP_IF_ZERO: u8 = 0x15;
    const JUMP_ALWAYS: u8 = 0x05;
    const EXIT: u8 = 0x95;

    /// Code, destination, source, offset, constant.
    type Parts = (u8, u8, u8, i16, i32);

    fn loses(each: &[Parts]) -> bool {
        let each = each.iter();
        let program: Vec<_> = each
            .map(|&(code, dst, src, off, imm)| bpf_insn {
                code,
                _bitfield_align_1: [],
                _bitfield_1: bpf_insn::new_bitfield_1(dst, src),
                off,
                imm,
            })
            .collect();
        loses_updates(&program)
    }

    /// Looks a number up, and makes the value of an update on the stack: 1 where there is none,
    /// otherwise what `calculation` makes of the number.
    fn update_after(calculation: Parts, helper: i32) -> [Parts; 11] {
        [
            (CALL, 0, 0, 0, LOOK_UP),
            (JUMP_IF_ZERO, 0, 0, 3, 0),
            (LOAD_U64, 1, 0, 0, 0),
            calculation,
            (JUMP_ALWAYS, 0, 0, 1, 0),
            (MOVE_CONSTANT, 1, 0, 0, 1),
            (STORE_U64, 10, 1, -16, 0),
            (MOVE_REGISTER, 3, 10, 0, 0),
            (ADD_CONSTANT, 3, 0, 0, -16),
            (CALL, 0, 0, 0, helper),
            (EXIT, 0, 0, 0, 0),
        ]
    }

    #[test]
    fn a_sum_that_is_written_back() {
        let add = (ADD_CONSTANT, 1, 0, 0, 1);
        assert!(loses(&update_after(add, UPDATE)));
        let mut other_object_function = update_after(add, UPDATE);
        other_object_function[9].2 = OBJECT_FUNCTION;
        assert!(!loses(&other_object_function));
        assert!(!loses(&update_after(add, LOOK_UP)));
    }

    #[test]
    fn what_is_not_a_sum_of_a_value() {
        assert!(!loses(&update_after(
            (SUBTRACT_CONSTANT, 1, 0, 0, 1),
            UPDATE
        )));
        assert!(!loses(&update_after((MOVE_CONSTANT, 1, 0, 0, 1), UPDATE)));
        // Not from a map.
        let mut from_context = update_after((ADD_CONSTANT, 1, 0, 0, 1), UPDATE);
        from_context[2].2 = 6;
        assert!(!loses(&from_context));
        // Stored elsewhere.
        let mut elsewhere = update_after((ADD_CONSTANT, 1, 0, 0, 1), UPDATE);
        elsewhere[6].3 = -24;
        assert!(!loses(&elsewhere));
    }

    #[test]
    fn a_loop_comes_to_an_end() {
        assert!(!loses(&[
            (ADD_CONSTANT, 2, 0, 0, 1),
            (JUMP_ALWAYS, 0, 0, -2, 0),
        ]));
        assert!(!loses(&[
            (MOVE_REGISTER, 3, 10, 0, 0),
            (ADD_CONSTANT, 3, 0, 0, 8),
            (JUMP_ALWAYS, 0, 0, -2, 0),
        ]));
    }
}
