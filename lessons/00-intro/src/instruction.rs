//! One instruction of eBPF bytecode, in words.
//!
//! Eight bytes: operation, registers, offset, constant. This lesson decodes only the instructions
//! that have a constant or two registers, and `exit`. `bpftool prog dump xlated` decodes all of
//! them, and so does `llvm-objdump -d` of LLVM 22; Debian 12's, which is 14, shows signed division
//! as unsigned and sign extension as a move.

const EXIT: u8 = 0x95;
/// The lower three bits: arithmetic on 32 bits or on 64.
const CLASS_32: u8 = 0x04;
const CLASS_64: u8 = 0x07;
/// Set when the operand is a register, clear when it is the constant.
const FROM_REGISTER: u8 = 0x08;

pub fn describe_instruction(bytes: &[u8; 8]) -> String {
    let [operation, registers, _, _, constant @ ..] = *bytes;
    if operation == EXIT {
        return "exit".to_owned();
    }
    let size = match operation & 0x07 {
        CLASS_64 => 'r',
        CLASS_32 => 'w',
        _ => return unknown(operation),
    };
    let Some(sign) = operator(operation) else {
        return unknown(operation);
    };
    let (dst, src) = (registers & 0x0f, registers >> 4);
    if operation & FROM_REGISTER == 0 {
        format!("{size}{dst} {sign} {}", i32::from_le_bytes(constant))
    } else {
        format!("{size}{dst} {sign} {size}{src}")
    }
}

fn unknown(operation: u8) -> String {
    format!("(operation {operation:#04x})")
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

    #[test]
    fn describes_instructions_in_words() {
        let cases = [
            ([0xb7, 0, 0, 0, 2, 0, 0, 0], "r0 = 2"),
            ([0xb4, 0, 0, 0, 2, 0, 0, 0], "w0 = 2"),
            ([0x07, 2, 0, 0, 0xfc, 0xff, 0xff, 0xff], "r2 += -4"),
            ([0xbf, 0x16, 0, 0, 0, 0, 0, 0], "r6 = r1"),
            ([0x95, 0, 0, 0, 0, 0, 0, 0], "exit"),
        ];
        for (bytes, words) in cases {
            assert_eq!(describe_instruction(&bytes), words);
        }
    }

    #[test]
    fn admits_what_it_does_not_know() {
        for (bytes, words) in [
            ([0x85, 0, 0, 0, 14, 0, 0, 0], "(operation 0x85)"),
            ([0x87, 0, 0, 0, 0, 0, 0, 0], "(operation 0x87)"),
        ] {
            assert_eq!(describe_instruction(&bytes), words);
        }
    }
}
