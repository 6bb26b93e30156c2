//! One instruction of eBPF bytecode, and what it says in words.
//!
//! Eight bytes: operation, registers, offset, constant. Decoded here are those with a constant or
//! two registers, and the end of the program; enough for this lesson. `bpftool prog dump xlated`
//! knows all, and so does `llvm-objdump -d` of LLVM 22; Debian 12's, which is 14, shows signed
//! division as unsigned and sign extension as a move.

use std::fmt;

#[derive(Clone, Copy)]
pub struct Instruction {
    bytes: [u8; 8],
}

const EXIT: u8 = 0x95;
/// The lower three bits: arithmetic on 32 bits or on 64.
const CLASS_32: u8 = 0x04;
const CLASS_64: u8 = 0x07;
/// Set when the operand is a register, clear when it is the constant.
const FROM_REGISTER: u8 = 0x08;

impl Instruction {
    /// Takes what there is of eight bytes.
    pub fn read(bytes: &[u8]) -> Self {
        let mut eight = [0; 8];
        for (to, from) in eight.iter_mut().zip(bytes) {
            *to = *from;
        }
        Self { bytes: eight }
    }

    pub fn hexadecimal(&self) -> String {
        self.bytes.map(|byte| format!("{byte:02x}")).join(" ")
    }

    fn constant(&self) -> i32 {
        let [.., a, b, c, d] = self.bytes;
        i32::from_le_bytes([a, b, c, d])
    }
}

impl fmt::Display for Instruction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [operation, registers, ..] = self.bytes;
        let (size, sign) = match (operation & 0x07, operator(operation)) {
            (CLASS_64, Some(sign)) => ('r', sign),
            (CLASS_32, Some(sign)) => ('w', sign),
            _ if operation == EXIT => return f.write_str("exit"),
            _ => return write!(f, "(operation {operation:#04x})"),
        };
        let (to, from) = (registers & 0x0f, registers >> 4);
        if operation & FROM_REGISTER == 0 {
            write!(f, "{size}{to} {sign} {}", self.constant())
        } else {
            write!(f, "{size}{to} {sign} {size}{from}")
        }
    }
}

/// The upper four bits.
fn operator(operation: u8) -> Option<&'static str> {
    Some(match operation >> 4 {
        0x0 => "+=",
        0x1 => "-=",
        0x2 => "*=",
        0x3 => "/=",
        0x4 => "|=",
        0x5 => "&=",
        0x6 => "<<=",
        0x7 => ">>=",
        0x9 => "%=",
        0xa => "^=",
        0xb => "=",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(bytes: [u8; 8]) -> String {
        Instruction::read(&bytes).to_string()
    }

    #[test]
    fn says_instructions_in_words() {
        assert_eq!(words([0xb7, 0, 0, 0, 2, 0, 0, 0]), "r0 = 2");
        assert_eq!(words([0xb4, 0, 0, 0, 2, 0, 0, 0]), "w0 = 2");
        assert_eq!(words([0x07, 2, 0, 0, 0xfc, 0xff, 0xff, 0xff]), "r2 += -4");
        assert_eq!(words([0xbf, 0x16, 0, 0, 0, 0, 0, 0]), "r6 = r1");
        assert_eq!(words([0x95, 0, 0, 0, 0, 0, 0, 0]), "exit");
    }

    #[test]
    fn admits_what_it_does_not_know() {
        assert_eq!(words([0x85, 0, 0, 0, 14, 0, 0, 0]), "(operation 0x85)");
    }

    #[test]
    fn shows_all_eight_bytes() {
        assert_eq!(
            Instruction::read(&[0xb7, 0, 0, 0, 2, 0, 0, 0]).hexadecimal(),
            "b7 00 00 00 02 00 00 00"
        );
    }
}
