//! The parts of an instruction's code, in the kernel's names (`linux/bpf.h`).

use aya_obj::generated::{BPF_CALL, BPF_JMP, BPF_X, bpf_insn};

/// The register that is the end of the stack.
pub const STACK: u8 = 10;

/// `BPF_LD` to `BPF_ALU64`: what it works on.
pub fn class_of(instruction: &bpf_insn) -> u32 {
    u32::from(instruction.code) & 0x07
}

/// `BPF_MEM` and others: how it loads or stores.
pub fn mode_of(instruction: &bpf_insn) -> u32 {
    u32::from(instruction.code) & 0xe0
}

/// `BPF_ADD`, `BPF_JA` and others: which calculation, or which jump.
pub fn operation_of(instruction: &bpf_insn) -> u32 {
    u32::from(instruction.code) & 0xf0
}

/// Whether the other operand is a register.
pub fn takes_register(instruction: &bpf_insn) -> bool {
    u32::from(instruction.code) & BPF_X != 0
}

pub fn is_call(instruction: &bpf_insn) -> bool {
    u32::from(instruction.code) == BPF_JMP | BPF_CALL
}

/// The number of the helper that it calls: functions of the object and of the kernel are marked in
/// the place of a register.
pub fn helper_of(instruction: &bpf_insn) -> Option<i32> {
    (is_call(instruction) && instruction.src_reg() == 0).then_some(instruction.imm)
}
