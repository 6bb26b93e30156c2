//! eBPF bytecode: the judge's own reading of it, to compare answers with.

use std::fmt;

#[derive(Clone, Copy, Default)]
pub struct Instruction {
    pub code: u8,
    pub dst: u8,
    pub src: u8,
    pub off: i16,
    pub imm: i32,
}

/// Set when the operand is a register, clear when it is the constant.
pub const FROM_REGISTER: u8 = 0x08;

pub const ADD: u8 = 0x07;
pub const MOVE: u8 = 0xb7;
pub const ADD_32: u8 = 0x04;
pub const MOVE_32: u8 = 0xb4;
pub const EXIT: u8 = 0x95;
pub const GOTO: u8 = 0x05;
pub const IF_EQUAL: u8 = 0x15;
pub const IF_NOT_EQUAL: u8 = 0x55;
pub const IF_GREATER: u8 = 0x25;
pub const IF_GREATER_SIGNED: u8 = 0x65;

pub const CONDITIONS: [u8; 4] = [IF_EQUAL, IF_NOT_EQUAL, IF_GREATER, IF_GREATER_SIGNED];

/// `dst` and the constant.
pub fn with_constant(code: u8, dst: u8, imm: i32) -> Instruction {
    Instruction {
        code,
        dst,
        imm,
        ..Instruction::default()
    }
}

/// `dst` and `src`.
pub fn with_register(code: u8, dst: u8, src: u8) -> Instruction {
    Instruction {
        code: code | FROM_REGISTER,
        dst,
        src,
        ..Instruction::default()
    }
}

pub fn goto_insn(off: i16) -> Instruction {
    Instruction {
        code: GOTO,
        off,
        ..Instruction::default()
    }
}

pub fn exit_insn() -> Instruction {
    Instruction {
        code: EXIT,
        ..Instruction::default()
    }
}

impl Instruction {
    pub fn with_offset(self, off: i16) -> Self {
        Self { off, ..self }
    }

    pub fn hex_bytes(self) -> String {
        let mut bytes = [0; 8];
        bytes[0] = self.code;
        bytes[1] = self.src << 4 | self.dst;
        bytes[2..4].copy_from_slice(&self.off.to_le_bytes());
        bytes[4..].copy_from_slice(&self.imm.to_le_bytes());
        bytes.map(|byte| format!("{byte:02x}")).join(" ")
    }

    /// As the exercise `00/decode-instruction` prints it: `code=0xb7 dst=0 src=0 off=0 imm=1`.
    pub fn list_fields(self) -> String {
        let (dst, src, off, imm) = (self.dst, self.src, self.off, self.imm);
        format!(
            "code={:#04x} dst={dst} src={src} off={off} imm={imm}",
            self.code
        )
    }

    fn has_register(self) -> bool {
        self.code & FROM_REGISTER != 0
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            code,
            dst,
            src,
            off,
            imm,
        } = *self;
        let size = if matches!(code & !FROM_REGISTER, ADD_32 | MOVE_32) {
            'w'
        } else {
            'r'
        };
        let operand = if self.has_register() {
            format!("{size}{src}")
        } else {
            imm.to_string()
        };
        match code & !FROM_REGISTER {
            ADD | ADD_32 => write!(f, "{size}{dst} += {operand}"),
            MOVE | MOVE_32 => write!(f, "{size}{dst} = {operand}"),
            GOTO => write!(f, "goto {off:+}"),
            IF_EQUAL => write!(f, "if r{dst} == {operand} goto {off:+}"),
            IF_NOT_EQUAL => write!(f, "if r{dst} != {operand} goto {off:+}"),
            IF_GREATER => write!(f, "if r{dst} > {operand} goto {off:+}"),
            IF_GREATER_SIGNED => write!(f, "if r{dst} s> {operand} goto {off:+}"),
            EXIT => f.write_str("exit"),
            _ => write!(f, "(operation {code:#04x})"),
        }
    }
}

/// What r0 is at the end. `None` is a program that leaves itself, or does what is not known here.
pub fn run_bytecode(program: &[Instruction], r1: u64) -> Option<u64> {
    let mut registers = [0u64; 16];
    registers[1] = r1;
    let mut next: usize = 0;
    loop {
        let instruction = program.get(next)?;
        let Instruction {
            code,
            dst,
            src,
            off,
            imm,
        } = *instruction;
        // The kernel extends a constant with its sign, also where it is then compared without one.
        let operand = if instruction.has_register() {
            registers[usize::from(src)]
        } else {
            i64::from(imm) as u64
        };
        let value = &mut registers[usize::from(dst)];
        let mut jumps = false;
        match code & !FROM_REGISTER {
            ADD => *value = value.wrapping_add(operand),
            MOVE => *value = operand,
            ADD_32 => *value = u64::from((*value as u32).wrapping_add(operand as u32)),
            MOVE_32 => *value = u64::from(operand as u32),
            GOTO => jumps = true,
            IF_EQUAL => jumps = *value == operand,
            IF_NOT_EQUAL => jumps = *value != operand,
            IF_GREATER => jumps = *value > operand,
            IF_GREATER_SIGNED => jumps = value.cast_signed() > operand.cast_signed(),
            EXIT => return Some(registers[0]),
            _ => return None,
        }
        next = (next + 1).checked_add_signed(if jumps { off.into() } else { 0 })?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instructions_become_the_bytes_that_compilers_make() {
        let add = with_constant(ADD, 2, -4);
        assert_eq!(
            (add.hex_bytes().as_str(), add.to_string().as_str()),
            ("07 02 00 00 fc ff ff ff", "r2 += -4")
        );
        let copy = with_register(MOVE, 6, 1);
        assert_eq!(
            (copy.hex_bytes().as_str(), copy.to_string().as_str()),
            ("bf 16 00 00 00 00 00 00", "r6 = r1")
        );
        let jump = with_constant(IF_NOT_EQUAL, 3, 7).with_offset(-2);
        assert_eq!(jump.hex_bytes(), "55 03 fe ff 07 00 00 00");
        assert_eq!(jump.to_string(), "if r3 != 7 goto -2");
    }

    fn first_if(code: u8, r1: u64, imm: i32) -> bool {
        let program = [
            with_constant(MOVE, 0, 1),
            with_constant(code, 1, imm).with_offset(1),
            with_constant(MOVE, 0, 0),
            exit_insn(),
        ];
        run_bytecode(&program, r1) == Some(1)
    }

    #[test]
    fn comparisons_are_the_kernels() {
        assert!(first_if(IF_EQUAL, u64::MAX, -1));
        assert!(!first_if(IF_EQUAL, 0xffff_ffff, -1));
        assert!(
            !first_if(IF_GREATER, 5, -1),
            "-1 is the greatest number there"
        );
        assert!(first_if(IF_GREATER_SIGNED, 5, -1));
        assert!(!first_if(IF_GREATER, 5, 5));
    }

    #[test]
    fn results_of_32_bits_have_an_empty_upper_half() {
        assert_eq!(
            run_bytecode(&[with_constant(MOVE_32, 0, -1), exit_insn()], 0),
            Some(0xffff_ffff)
        );
        assert_eq!(
            run_bytecode(
                &[
                    with_constant(MOVE, 0, -1),
                    with_constant(ADD_32, 0, 2),
                    exit_insn()
                ],
                0
            ),
            Some(1)
        );
        assert_eq!(
            run_bytecode(&[with_constant(MOVE, 0, -1), exit_insn()], 0),
            Some(u64::MAX)
        );
    }

    #[test]
    fn a_loop_ends_and_a_way_out_is_none() {
        let sum = [
            with_register(ADD, 0, 1),
            with_constant(ADD, 1, -1),
            with_constant(IF_NOT_EQUAL, 1, 0).with_offset(-3),
            exit_insn(),
        ];
        assert_eq!(run_bytecode(&sum, 10), Some(55));
        assert_eq!(run_bytecode(&[goto_insn(5)], 0), None);
        assert_eq!(run_bytecode(&[goto_insn(-2)], 0), None);
    }
}
