//! What an instruction reads and sets, and how it goes on, from its text.

use super::cost_line::leading_number;
use crate::log::insn::{Insn, InsnAction};

/// Classes and operations of the instruction set.
const JUMP: u8 = 0x05;
const JUMP32: u8 = 0x06;

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum InsnFlow {
    Next,
    /// It may go on at one of two places.
    Fork,
    Goto,
    Call,
    Exit,
}

pub fn flow_of(opcode: u8) -> InsnFlow {
    if !matches!(opcode & 0x07, JUMP | JUMP32) {
        return InsnFlow::Next;
    }
    match opcode & 0xf0 {
        0x00 => InsnFlow::Goto,
        0x80 => InsnFlow::Call,
        0x90 => InsnFlow::Exit,
        _ => InsnFlow::Fork,
    }
}

/// Registers, as a mask.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct InsnRegisters {
    pub reads: u16,
    pub sets: u16,
}

const ARGUMENTS: u16 = 0b11_1110;

/// What is not known to be only set counts as read.
pub fn registers_of(pc: u32, opcode: u8, text: &str) -> InsnRegisters {
    let mentioned = mentioned_registers(text);
    match flow_of(opcode) {
        InsnFlow::Goto => return InsnRegisters::default(),
        InsnFlow::Exit => return InsnRegisters { reads: 1, sets: 0 },
        InsnFlow::Call => {
            return InsnRegisters {
                reads: ARGUMENTS | mentioned,
                sets: ARGUMENTS | 1,
            };
        }
        InsnFlow::Fork | InsnFlow::Next => {}
    }
    let insn = Insn::new(pc, opcode, text);
    let (sets, only_right) = match insn.insn_action() {
        InsnAction::Move { to, .. } | InsnAction::Load { to, .. } => (1 << to, true),
        // Its right side is not understood: a register in it may be the same.
        InsnAction::Set { to } => (1 << to, true),
        InsnAction::Change { to, .. } => (1 << to, false),
        _ => (0, false),
    };
    let right = text.split_once('=').map_or("", |(_, right)| right);
    let reads = if only_right {
        mentioned_registers(right)
    } else {
        mentioned
    };
    InsnRegisters { reads, sets }
}

/// `r3`, `w3`: each register that a text names.
fn mentioned_registers(text: &str) -> u16 {
    let bytes = text.as_bytes();
    let mut mask = 0;
    for (at, letter) in bytes.iter().enumerate() {
        let begins = at == 0 || !bytes[at - 1].is_ascii_alphanumeric();
        if begins
            && matches!(letter, b'r' | b'w')
            && let Some((number, _)) = leading_number(&bytes[at + 1..])
            && number < 16
        {
            mask |= 1 << number;
        }
    }
    mask
}

/// The slot of the stack that an instruction loads.
pub fn loaded_slot(opcode: u8, text: &str) -> Option<i32> {
    let is_load = opcode & 0x07 == 0x01;
    let (_, after) = text.split_once("(r10 -").filter(|_| is_load)?;
    let (offset, _) = leading_number(after.as_bytes())?;
    i32::try_from(offset).ok().map(|offset| -offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::insn::find_jump_goal;

    #[test]
    fn jumps_lead_forward_and_back() {
        assert_eq!(find_jump_goal(18, "if r3 > 0x64 goto pc-8"), Some(11));
        assert_eq!(find_jump_goal(10, "goto pc+4"), Some(15));
        assert_eq!(find_jump_goal(10, "call pc+29"), Some(40));
        assert_eq!(find_jump_goal(10, "gotol pc-4"), Some(7));
        for text in [
            "goto pc-99",
            "goto pc",
            "call bpf_loop#181",
            "exit",
            "goto pc+x",
            "call my_pc7",
        ] {
            assert_eq!(find_jump_goal(3, text), None, "{text}");
        }
    }

    #[test]
    fn what_is_read_and_set() {
        let masks = |opcode, text| {
            let InsnRegisters { reads, sets } = registers_of(0, opcode, text);
            (reads, sets)
        };
        assert_eq!(masks(0xbf, "r3 = r0"), (1, 8));
        assert_eq!(masks(0x0f, "r3 += r1"), (0b1010, 8));
        assert_eq!(masks(0x79, "r3 = *(u64 *)(r3 +0)"), (8, 8));
        assert_eq!(masks(0x7b, "*(u64 *)(r10 -8) = r3"), (0x408, 0));
        assert_eq!(masks(0x25, "if r3 > 0x64 goto pc-8"), (8, 0));
        assert_eq!(masks(0x05, "goto pc-10"), (0, 0));
        assert_eq!(masks(0xb7, "r1 = 8"), (0, 2));
        assert_eq!(masks(0x95, "exit"), (1, 0));
    }

    #[test]
    fn slots_that_are_loaded() {
        assert_eq!(loaded_slot(0x79, "r1 = *(u64 *)(r10 -40)"), Some(-40));
        assert_eq!(loaded_slot(0x7b, "*(u64 *)(r10 -40) = r1"), None);
    }
}
