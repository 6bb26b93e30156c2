//! Values and instructions in plain English.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::log::insn::{FRAME_POINTER, Insn, InsnAction, LOAD_64_BITS, Operand};
use crate::log::state::TrackedValue;
use crate::log::step::LogStep;

/// What a register holds, if the line has all of it. `frame`: 0 in the main program.
pub fn describe_value_in(value: &TrackedValue, frame: u32) -> Option<String> {
    if value.is_partial {
        return None;
    }
    // Up to Linux 6.7, the log does not say whose stack it is.
    let is_somewhere = value.kind == "fp" && frame > 0 && value.offset != 0;
    let words = describe_value(value);
    Some(if is_somewhere {
        words.replacen("the stack", "a stack", 1)
    } else {
        words
    })
}

/// What a register holds, to follow "R1 is".
pub fn describe_value(value: &TrackedValue) -> String {
    if value.is_number() {
        return number(value);
    }
    let offset = offset(value);
    match value.kind.as_str() {
        "fp" => stack_pointer(value),
        "map_value" => format!("a pointer into a value of {}{offset}", map(value)),
        "map_value_or_null" => format!("a pointer to a value of {}, or NULL", map(value)),
        "map_ptr" => format!("the address of {}, not of a value in it", map(value)),
        "pkt" => format!("a pointer into the packet{offset}{}", proof(value)),
        "pkt_end" => "the end of the packet".to_owned(),
        "ctx" => format!("the program's context{offset}"),
        "mem" | "ringbuf_mem" | "alloc_mem" => {
            format!("a pointer to memory{}{offset}", size(value.mem_size))
        }
        "func" => "the address of a function of the program".to_owned(),
        kind => outer_stack(kind).unwrap_or_else(|| other(kind, &offset)),
    }
}

fn stack_pointer(value: &TrackedValue) -> String {
    let constant = value.bounds.as_constant();
    let Some(offset) = constant.and_then(|more| value.offset.checked_add(more)) else {
        return format!("a pointer to the stack{}", offset_from(value, "its top"));
    };
    match offset {
        0 => "the top of the stack".to_owned(),
        ..0 => format!(
            "a pointer to the stack, {} below its top",
            format_bytes(offset.saturating_neg())
        ),
        _ => format!(
            "a pointer {} above the top of the stack",
            format_bytes(offset)
        ),
    }
}

/// What a check has proved of the packet after a pointer.
fn proof(value: &TrackedValue) -> String {
    match value.range {
        None => String::new(),
        Some(1) => ", of which 1 byte is proved".to_owned(),
        Some(bytes) => format!(", of which {bytes} bytes are proved"),
    }
}

/// `fp[0]-64` in a function: the stack of the one that called it.
fn outer_stack(kind: &str) -> Option<String> {
    let below: i64 = kind.strip_prefix("fp[")?.split_once("]-")?.1.parse().ok()?;
    Some(format!(
        "a pointer to the stack of a function further out, {} below its top",
        format_bytes(below)
    ))
}

/// What a slot of the stack holds: a register that was saved, or eight letters for eight bytes.
pub fn describe_slot(value: &TrackedValue) -> String {
    const LETTERS: [(char, &str); 3] = [('m', "written"), ('0', "zero"), ('?', "not written")];
    if value.is_mixed() {
        return "a saved register in some of its bytes".to_owned();
    }
    let is_letters =
        value.kind.len() == 8 && value.kind.chars().all(|letter| "m0?".contains(letter));
    if !is_letters {
        return describe_value(value);
    }
    let mut parts = Vec::new();
    for (letter, words) in LETTERS {
        let count = value.kind.matches(letter).count();
        if count > 0 {
            parts.push(format!("{} {words}", format_bytes(count as i64)));
        }
    }
    parts.join(", ")
}

fn other(kind: &str, offset: &str) -> String {
    let (kind, null) = match kind.split_once("_or_null") {
        Some((before, after)) => (format!("{before}{after}"), ", or NULL"),
        None => (kind.to_owned(), ""),
    };
    const POINTERS: [(&str, &str); 4] = [
        ("trusted_ptr_", "a trusted pointer to"),
        ("untrusted_ptr_", "an untrusted pointer to"),
        ("rcu_ptr_", "a pointer to"),
        ("ptr_", "a pointer to"),
    ];
    for (start, words) in POINTERS {
        if let Some(name) = kind.strip_prefix(start)
            && !name.is_empty()
        {
            return format!("{words} the kernel's struct {name}{offset}{null}");
        }
    }
    let kind = kind.trim_end_matches('_');
    format!("a pointer of the kind `{kind}`{offset}{null}")
}

fn number(value: &TrackedValue) -> String {
    match value.bounds.as_constant() {
        Some(constant) => format!("the number {constant}"),
        None if value.bounds.is_unknown() => "a number of which nothing is known".to_owned(),
        None => format!("a number {}", value.bounds.describe_bounds()),
    }
}

fn map(value: &TrackedValue) -> String {
    let name = value
        .map
        .as_ref()
        .map_or("a map".to_owned(), |name| format!("the map `{name}`"));
    name + &value
        .value_size
        .and_then(|size| i64::try_from(size).ok())
        .map_or(String::new(), |size| {
            format!(" ({} each)", format_bytes(size))
        })
}

/// `1 byte`, `4 bytes`
pub fn format_bytes(count: i64) -> String {
    format!("{count} {}", if count == 1 { "byte" } else { "bytes" })
}

fn size(bytes: Option<u64>) -> String {
    let count = bytes.and_then(|bytes| i64::try_from(bytes).ok());
    count.map_or(String::new(), |count| {
        format!(" of {}", format_bytes(count))
    })
}

fn offset(value: &TrackedValue) -> String {
    let constant = value.bounds.as_constant();
    match constant.and_then(|more| value.offset.checked_add(more)) {
        Some(0) => String::new(),
        Some(offset) => format!(", at offset {offset}"),
        None => offset_from(value, ""),
    }
}

/// The offset of a pointer that has a variable part, from the beginning of its memory.
fn offset_from(value: &TrackedValue, base: &str) -> String {
    let from = if base.is_empty() { "" } else { " from " };
    let bounds = &value.bounds;
    let sum = |limit: i64| value.offset.checked_add(limit);
    // Linux 7.2 adds the constants to the limits; before, they are apart.
    let small = i64::from(i32::MIN)..=i64::from(i32::MAX);
    if small.contains(&bounds.smin)
        && small.contains(&bounds.smax)
        && let (Some(least), Some(most)) = (sum(bounds.smin), sum(bounds.smax))
    {
        return format!(", at an offset between {least} and {most}{from}{base}");
    }
    let limits = value.bounds.describe_bounds();
    let number = match value.bounds.is_unknown() {
        true => "a number of which nothing is known".to_owned(),
        false => format!("a number {limits}"),
    };
    match value.offset {
        0 if limits.starts_with("between") => format!(", at an offset {limits}{from}{base}"),
        0 => format!(", at an offset{from}{base} that is {number}"),
        offset => format!(", at offset {offset}{from}{base} plus {number}"),
    }
}

/// `instruction 12: r1 += r2`, with its source line if there is one.
pub fn describe_step(step: &LogStep) -> String {
    let source = step
        .source
        .as_ref()
        .filter(|source| !source.text.is_empty());
    let source = source.map_or(String::new(), |source| {
        format!(" [{}]", shortened(&source.text))
    });
    format!("instruction {}: {}{source}", step.insn.pc, step.insn.text)
}

/// Enough of a source line to find it again.
fn shortened(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_owned(),
    }
}

/// What an instruction does to the register that it sets, to follow "R1 comes from instruction 12:
/// ...".
pub fn describe_origin(insn: &Insn) -> &'static str {
    match insn.insn_action() {
        InsnAction::Set { .. } if insn.opcode == LOAD_64_BITS => "an address or a constant",
        InsnAction::Load { place, .. } if place.base == FRAME_POINTER => "read from the stack",
        InsnAction::Load { .. } => "read from memory",
        InsnAction::Helper { .. } => "returned by this call",
        InsnAction::Function => "returned by a function of the program",
        InsnAction::Move {
            from: Operand::Number(_),
            ..
        } => "a constant",
        InsnAction::Move { .. } => "a copy",
        InsnAction::Change { .. } | InsnAction::Convert { .. } => "computed",
        InsnAction::Atomic { .. } => "read from memory",
        InsnAction::Set { .. } if insn.clears_arguments() => "read from the packet",
        InsnAction::Set { .. } => "computed",
        _ => "left",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::state::parse_state;

    fn words(text: &str) -> String {
        describe_value(
            parse_state(&format!("R1={text}"))
                .unwrap()
                .register_value(1)
                .unwrap(),
        )
    }

    #[test]
    fn values_in_words() {
        assert_eq!(words("5"), "the number 5");
        assert_eq!(words("scalar()"), "a number of which nothing is known");
        assert_eq!(
            words("inv(id=0,umax_value=255,var_off=(0x0; 0xff))"),
            "a number between 0 and 255"
        );
        assert_eq!(
            words("fp-16"),
            "a pointer to the stack, 16 bytes below its top"
        );
        assert_eq!(
            words("map_value_or_null(id=1,map=m,ks=4,vs=8)"),
            "a pointer to a value of the map `m` (8 bytes each), or NULL"
        );
        assert_eq!(
            words("map_value(map=m,ks=4,vs=8,off=4,smin=0,smax=umax=255,var_off=(0x0; 0xff))"),
            "a pointer into a value of the map `m` (8 bytes each), at an offset between 4 and 259"
        );
        assert_eq!(
            words("pkt(id=0,off=14,r=34,imm=0)"),
            "a pointer into the packet, at offset 14, of which 34 bytes are proved"
        );
        assert_eq!(
            words("trusted_ptr_task_struct(off=8)"),
            "a trusted pointer to the kernel's struct task_struct, at offset 8"
        );
        assert_eq!(
            words("ptr_or_null_sock(id=2)"),
            "a pointer to the kernel's struct sock, or NULL"
        );
        assert_eq!(words("dynptr_ptr"), "a pointer of the kind `dynptr_ptr`");
    }
}
