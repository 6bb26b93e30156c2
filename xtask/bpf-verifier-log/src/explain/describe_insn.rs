//! What an instruction does, in plain English.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;

use crate::explain::words::format_bytes;
use crate::log::insn::{Insn, InsnAction, LOAD_64_BITS, MemoryPlace, Operand, Register};

/// `copies R6 to R1`; `None` for what its own text says as well.
pub fn describe_insn(insn: &Insn) -> Option<String> {
    let words = match insn.insn_action() {
        InsnAction::Set { to } if insn.opcode == LOAD_64_BITS => {
            format!("puts an address or a number of 64 bits into R{to}")
        }
        InsnAction::Move { to, from } => moves(*to, *from),
        InsnAction::Change {
            to,
            operator,
            by: Some(by),
        } => changes(*to, operator, *by)?,
        InsnAction::Load { to, place } => loads(*to, *place),
        InsnAction::Store { place, from } => stores(*place, *from),
        InsnAction::Helper { name } => {
            format!("calls {name}, which returns its result in R0; R1 to R5 lose their values")
        }
        InsnAction::Function => "calls a function of the program".to_owned(),
        InsnAction::Compare {
            left,
            operator,
            right: Some(right),
        } => compares(*left, operator, *right)?,
        InsnAction::Exit => "returns; R0 is the result".to_owned(),
        _ => return None,
    };
    let half = if insn.is_half() {
        ", with 32 bits only"
    } else {
        ""
    };
    Some(words + half)
}

fn loads(to: Register, place: MemoryPlace) -> String {
    let bytes = format_bytes(place.bytes.into());
    format!("reads {bytes} {} into R{to}", at(place))
}

fn stores(place: MemoryPlace, from: Operand) -> String {
    let bytes = format_bytes(place.bytes.into());
    format!("writes {} to the {bytes} {}", operand(from), at(place))
}

fn moves(to: Register, from: Operand) -> String {
    match from {
        Operand::Register(from) => format!("copies R{from} to R{to}"),
        Operand::Number(number) => format!("sets R{to} to {number}"),
    }
}

fn changes(to: Register, operator: &str, by: Operand) -> Option<String> {
    let by = operand(by);
    Some(match operator {
        "+=" => format!("adds {by} to R{to}"),
        "-=" => format!("subtracts {by} from R{to}"),
        "*=" => format!("multiplies R{to} by {by}"),
        "/=" => format!("divides R{to} by {by}"),
        "%=" => format!("sets R{to} to the remainder of R{to} divided by {by}"),
        "<<=" => format!("shifts R{to} to the left by {by} bits"),
        ">>=" => format!("shifts R{to} to the right by {by} bits"),
        "s>>=" => format!("shifts R{to} to the right by {by} bits and keeps its sign"),
        "&=" => format!("clears the bits of R{to} that are not set in {by}"),
        "|=" => format!("sets the bits of R{to} that are set in {by}"),
        "^=" => format!("inverts the bits of R{to} that are set in {by}"),
        _ => return None,
    })
}

fn compares(left: Register, operator: &str, right: Operand) -> Option<String> {
    let right = operand(right);
    let condition = match operator {
        "==" => format!("is {right}"),
        "!=" => format!("is not {right}"),
        ">" => format!("is greater than {right}"),
        ">=" => format!("is at least {right}"),
        "<" => format!("is less than {right}"),
        "<=" => format!("is at most {right}"),
        "s>" => format!("is greater than {right}, with sign"),
        "s>=" => format!("is at least {right}, with sign"),
        "s<" => format!("is less than {right}, with sign"),
        "s<=" => format!("is at most {right}, with sign"),
        "&" => format!("has a bit of {right} set"),
        _ => return None,
    };
    Some(format!("jumps if R{left} {condition}"))
}

fn operand(operand: Operand) -> String {
    match operand {
        Operand::Register(register) => format!("R{register}"),
        Operand::Number(number) => number.to_string(),
    }
}

fn at(place: MemoryPlace) -> String {
    match (place.base, place.offset) {
        (10, offset) => format!("of the stack at fp{offset:+}"),
        (base, 0) => format!("that R{base} points to"),
        (base, offset) => format!("at offset {offset} from R{base}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(opcode: u8, text: &str) -> Option<String> {
        describe_insn(&Insn::new(0, opcode, text))
    }

    #[test]
    fn instructions_in_words() {
        for (opcode, text, expected) in [
            (0xbf, "r1 = r6", "copies R6 to R1"),
            (0xb4, "w0 = 1", "sets R0 to 1, with 32 bits only"),
            (0x07, "r1 += 34", "adds 34 to R1"),
            (
                0x61,
                "r7 = *(u32 *)(r1 +4)",
                "reads 4 bytes at offset 4 from R1 into R7",
            ),
            (
                0x79,
                "r1 = *(u64 *)(r0 +0)",
                "reads 8 bytes that R0 points to into R1",
            ),
            (
                0x63,
                "*(u32 *)(r10 -4) = r1",
                "writes R1 to the 4 bytes of the stack at fp-4",
            ),
            (
                0x18,
                "r1 = 0xffff...",
                "puts an address or a number of 64 bits into R1",
            ),
            (
                0x18,
                "r2 = 0x8",
                "puts an address or a number of 64 bits into R2",
            ),
            (
                0x2d,
                "if r1 > r7 goto pc+6",
                "jumps if R1 is greater than R7",
            ),
            (
                0x16,
                "if w0 == 0x0 goto pc+9",
                "jumps if R0 is 0, with 32 bits only",
            ),
            (0x95, "exit", "returns; R0 is the result"),
        ] {
            assert_eq!(words(opcode, text).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn nothing_is_said_of_what_is_not_understood() {
        assert_eq!(words(0x05, "goto pc+2"), None);
        assert_eq!(
            words(0xdb, "r1 = atomic64_fetch_add((u64 *)(r0 +0), r1)"),
            None
        );
    }
}
