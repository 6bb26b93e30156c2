//! Runs eBPF bytecode. Reads the value of r1, then one instruction on each line, and prints the
//! value of r0 at the end.

use std::io;

struct Instruction {
    code: u8,
    dst: usize,
    src: usize,
    off: isize,
    imm: i32,
}

/// Set in `code` when the operand is a register, clear when it is the constant.
const FROM_REGISTER: u8 = 0x08;

fn main() -> Result<(), String> {
    let mut lines = io::stdin().lines().map_while(Result::ok);
    let r1 = lines
        .next()
        .and_then(|line| line.parse().ok())
        .ok_or("the first line is no number")?;
    let program: Option<Vec<Instruction>> = lines.map(|line| decode(&line)).collect();
    println!(
        "{}",
        run(&program.ok_or("a line has not eight bytes")?, r1)?
    );
    Ok(())
}

fn run(program: &[Instruction], r1: u64) -> Result<u64, String> {
    let mut registers = [0u64; 16];
    registers[1] = r1;
    let mut next: usize = 0;
    loop {
        // The verifier would prove this before a program runs. Here there is no verifier.
        let Instruction {
            code,
            dst,
            src,
            off,
            imm,
        } = program.get(next).ok_or("the program was left")?;
        next += 1;
        let operand = if code & FROM_REGISTER == 0 {
            i64::from(*imm) as u64
        } else {
            registers[*src]
        };
        let value = &mut registers[*dst];
        let mut jumps = false;
        match code & !FROM_REGISTER {
            0x07 => *value = value.wrapping_add(operand),
            0xb7 => *value = operand,
            0x04 => *value = u64::from((*value as u32).wrapping_add(operand as u32)),
            0xb4 => *value = u64::from(operand as u32),
            0x05 => jumps = true,
            0x15 => jumps = *value == operand,
            0x55 => jumps = *value != operand,
            0x25 => jumps = *value > operand,
            0x65 => jumps = *value as i64 > operand as i64,
            0x95 => return Ok(registers[0]),
            _ => return Err(format!("unknown operation {code:#04x}")),
        }
        if jumps {
            next = next.wrapping_add_signed(*off);
        }
    }
}

fn decode(line: &str) -> Option<Instruction> {
    let bytes = line
        .split_whitespace()
        .map(|byte| u8::from_str_radix(byte, 16).ok());
    let bytes: [u8; 8] = bytes.collect::<Option<Vec<u8>>>()?.try_into().ok()?;
    Some(Instruction {
        code: bytes[0],
        dst: (bytes[1] & 0x0f).into(),
        src: (bytes[1] >> 4).into(),
        off: i16::from_le_bytes([bytes[2], bytes[3]]).into(),
        imm: i32::from_le_bytes([bytes[4], bytes[5], bytes[6], bytes[7]]),
    })
}
