//! What one line of a log is, from a cheap look at its bytes: a log has millions of them.

use memchr::memmem::find;

/// A line that counts. The texts are parts of the line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum CostLine<'a> {
    /// `12: (0f) r3 += r1      ; R3=4`
    Insn {
        pc: u32,
        opcode: u8,
        /// After the opcode.
        rest: &'a [u8],
    },
    /// `12: safe`: the verifier was here with a state that covers this one.
    Pruned {
        pc: u32,
    },
    /// `12: R0=...`; without a number where the verifier enters or leaves a function, and in old
    /// logs at places where it says nothing new.
    State {
        text: &'a [u8],
        numbered: bool,
    },
    /// `from 12 to 15: R0=...`
    Resumed {
        from: u32,
        to: u32,
        text: &'a [u8],
        pruned: bool,
    },
    /// `; total += value; @ prog.c:12`
    Source(&'a [u8]),
    /// `regs=r1 stack= before 12: (0f) ...`: what must be known exactly after instruction 12.
    Precise {
        registers: u16,
        slots: u64,
        pc: u32,
    },
    /// `last_idx 16 first_idx 15`: which instruction asks for it.
    PreciseFor {
        pc: u32,
    },
    /// `frame 0: propagating r1`: what another path must know exactly holds for this one too.
    Propagated,
    /// `callee:`, `to caller at 7:`: a whole state follows.
    FrameChange,
    /// `func#1 @40`
    FunctionAt {
        number: u32,
        pc: u32,
    },
    /// `subprog#1 mix:` or `subprog 1 (mix) static insns_self ...`
    FunctionName {
        number: u32,
        name: &'a [u8],
    },
    /// `Validating mix() func#1...`
    Validating {
        number: u32,
        name: &'a [u8],
    },
    /// Linux 7.3 lists the program before it walks it.
    Listing,
    /// `processed 12 insns (limit 1000000) ...`
    Processed {
        text: &'a [u8],
    },
    Other,
}

pub fn read_cost_line(line: &[u8]) -> CostLine<'_> {
    let line = trim_quotation(line);
    match line.first() {
        Some(b'0'..=b'9') => numbered(line),
        Some(b'm' | b'r' | b'l') => precise(line).unwrap_or(CostLine::Other),
        Some(b';') => CostLine::Source(line),
        Some(b'R') => CostLine::State {
            text: line,
            numbered: false,
        },
        Some(b'f') => from_f(line),
        Some(b'c' | b't') if changes_frame(line) => CostLine::FrameChange,
        Some(b'V') => validating(line).unwrap_or(CostLine::Other),
        Some(b'p') if line.starts_with(b"processed ") => CostLine::Processed { text: line },
        Some(b's') => subprogram(line),
        Some(b'L') if line.starts_with(b"Live regs before") => CostLine::Listing,
        Some(b't') if line.starts_with(b"topo_order") => CostLine::Listing,
        Some(_) => prefixed(line),
        None => CostLine::Other,
    }
}

/// How mail and terminals set off what they quote.
fn trim_quotation(line: &[u8]) -> &[u8] {
    let is_mark = |byte: &u8| matches!(byte, b' ' | b'>' | b'|' | b'\t' | b'"' | b'\'' | b'`');
    let marks = line.iter().take_while(|byte| is_mark(byte)).count();
    &line[marks..]
}

fn numbered(line: &[u8]) -> CostLine<'_> {
    let Some((pc, rest)) = leading_number(line) else {
        return prefixed(line);
    };
    let Some(rest) = rest.strip_prefix(b": ") else {
        return prefixed(line);
    };
    if let Some(insn) = insn_after_number(pc, rest) {
        return insn;
    }
    if rest.starts_with(b"safe") {
        return CostLine::Pruned { pc };
    }
    if begins_state(rest) {
        return CostLine::State {
            text: rest,
            numbered: true,
        };
    }
    prefixed(line)
}

/// `(0f) r3 += r1`
fn insn_after_number(pc: u32, rest: &[u8]) -> Option<CostLine<'_>> {
    let code = rest.strip_prefix(b"(")?;
    let opcode = hex_digit(*code.first()?)? << 4 | hex_digit(*code.get(1)?)?;
    let rest = code.get(2..)?.strip_prefix(b") ")?;
    Some(CostLine::Insn { pc, opcode, rest })
}

fn begins_state(text: &[u8]) -> bool {
    let is_register = text.first() == Some(&b'R') && text.get(1).is_some_and(u8::is_ascii_digit);
    is_register || text.starts_with(b"frame") || text.starts_with(b"fp-")
}

/// `mark_precise: frame0: regs=r1 stack=-8 before 12: (0f) ...`; up to 6.3 `regs=2 stack=0 before`.
fn precise(line: &[u8]) -> Option<CostLine<'_>> {
    let text = match line.strip_prefix(b"mark_precise: frame") {
        Some(rest) => leading_number(rest)?.1.strip_prefix(b": ")?,
        None => line,
    };
    if let Some(rest) = text.strip_prefix(b"last_idx ") {
        return Some(CostLine::PreciseFor {
            pc: leading_number(rest)?.0,
        });
    }
    if text.starts_with(b"returning from callee") {
        return Some(CostLine::FrameChange);
    }
    let text = text.strip_prefix(b"regs=")?;
    let end = memchr::memchr(b' ', text)?;
    let (registers, rest) = (&text[..end], text[end..].strip_prefix(b" stack=")?);
    let end = memchr::memchr(b' ', rest)?;
    let (slots, rest) = (&rest[..end], rest[end..].strip_prefix(b" before ")?);
    Some(CostLine::Precise {
        registers: register_mask(registers),
        slots: slot_mask(slots),
        pc: leading_number(rest)?.0,
    })
}

/// `r1,r6`, or in older logs a mask in hexadecimal.
fn register_mask(text: &[u8]) -> u16 {
    if text.first() != Some(&b'r') {
        return hex_number(text).unwrap_or(0) as u16;
    }
    let mut mask = 0;
    for name in text.split(|&byte| byte == b',') {
        if let Some((number, _)) = name.strip_prefix(b"r").and_then(leading_number)
            && number < 16
        {
            mask |= 1 << number;
        }
    }
    mask
}

/// `-8,-16`, or in older logs a mask in hexadecimal. Bit 0 is the slot at -8.
fn slot_mask(text: &[u8]) -> u64 {
    if text.first() != Some(&b'-') {
        return hex_number(text).unwrap_or(0);
    }
    let mut mask = 0;
    for offset in text.split(|&byte| byte == b',') {
        if let Some((number, _)) = offset.strip_prefix(b"-").and_then(leading_number)
            && (8..=512).contains(&number)
        {
            mask |= 1 << (number / 8 - 1);
        }
    }
    mask
}

/// `from 12 to 15: R0=...`, `func#1 @40`, or a state that begins with `frame1:` or `fp-8=`.
fn from_f(line: &[u8]) -> CostLine<'_> {
    if let Some(rest) = line.strip_prefix(b"from ") {
        return resumed(rest).unwrap_or(CostLine::Other);
    }
    if let Some(rest) = line.strip_prefix(b"func#") {
        return function_at(rest).unwrap_or(CostLine::Other);
    }
    if line.starts_with(b"frame ") && find(line, b": propagating ").is_some() {
        return CostLine::Propagated;
    }
    if begins_state(line) && find(line, b"=").is_some() {
        return CostLine::State {
            text: line,
            numbered: false,
        };
    }
    CostLine::Other
}

fn resumed(rest: &[u8]) -> Option<CostLine<'_>> {
    let (from, rest) = leading_number(rest)?;
    let (to, rest) = leading_number(rest.strip_prefix(b" to ")?)?;
    // `from 12 to 15 (speculative execution): R0=...`
    let rest = rest
        .strip_prefix(b" (speculative execution)")
        .unwrap_or(rest);
    let text = rest.strip_prefix(b":")?;
    Some(CostLine::Resumed {
        from,
        to,
        text,
        pruned: text.starts_with(b" safe"),
    })
}

fn function_at(rest: &[u8]) -> Option<CostLine<'_>> {
    let (number, rest) = leading_number(rest)?;
    let (pc, _) = leading_number(rest.strip_prefix(b" @")?)?;
    Some(CostLine::FunctionAt { number, pc })
}

fn changes_frame(line: &[u8]) -> bool {
    [&b"caller:"[..], b"callee:", b"to caller at "]
        .iter()
        .any(|start| line.starts_with(start))
}

fn validating(line: &[u8]) -> Option<CostLine<'_>> {
    let rest = line.strip_prefix(b"Validating ")?;
    let end = find(rest, b"() func#")?;
    let (number, _) = leading_number(&rest[end + 8..])?;
    Some(CostLine::Validating {
        number,
        name: &rest[..end],
    })
}

fn subprogram(line: &[u8]) -> CostLine<'_> {
    if line.starts_with(b"stack use/def") {
        return CostLine::Listing;
    }
    if let Some(rest) = line.strip_prefix(b"subprog ") {
        return function_total(rest).unwrap_or(CostLine::Other);
    }
    let Some(rest) = line.strip_prefix(b"subprog#") else {
        return prefixed(line);
    };
    let name = leading_number(rest).and_then(|(number, rest)| {
        let name = rest.strip_prefix(b" ")?.strip_suffix(b":")?;
        Some(CostLine::FunctionName { number, name })
    });
    name.unwrap_or(CostLine::Listing)
}

/// `1 (mix) static insns_self 5840 ...`, at the end of a log of Linux 7.3.
fn function_total(rest: &[u8]) -> Option<CostLine<'_>> {
    let (number, rest) = leading_number(rest)?;
    let rest = rest.strip_prefix(b" (")?;
    let end = memchr::memchr(b')', rest)?;
    Some(CostLine::FunctionName {
        number,
        name: &rest[..end],
    })
}

/// A line that something was put in front of: a time, a host.
fn prefixed(line: &[u8]) -> CostLine<'_> {
    if let Some(start) = find(line, b"processed ") {
        return CostLine::Processed {
            text: &line[start..],
        };
    }
    let mut at = 0;
    while let Some(found) = find(&line[at..], b": (") {
        let colon = at + found;
        let digits = line[..colon]
            .iter()
            .rev()
            .take_while(|it| it.is_ascii_digit());
        let start = colon - digits.count();
        if let Some((pc, _)) = leading_number(&line[start..])
            && !line[..start].ends_with(b"before ")
            && let Some(insn) = insn_after_number(pc, &line[colon + 2..])
        {
            return insn;
        }
        at = colon + 3;
    }
    match find(line, b" ; ") {
        Some(start) => CostLine::Source(&line[start + 1..]),
        None => CostLine::Other,
    }
}

/// The decimal number that a text begins with, and what follows it.
pub fn leading_number(text: &[u8]) -> Option<(u32, &[u8])> {
    let digits = text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 || digits > 9 {
        return None;
    }
    let mut number = 0;
    for byte in &text[..digits] {
        number = number * 10 + u32::from(byte - b'0');
    }
    Some((number, &text[digits..]))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

fn hex_number(text: &[u8]) -> Option<u64> {
    str::from_utf8(text)
        .ok()
        .and_then(|text| u64::from_str_radix(text, 16).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> CostLine<'_> {
        read_cost_line(line.as_bytes())
    }

    #[test]
    fn instructions_in_all_surroundings() {
        for line in [
            "12: (0f) r3 += r1",
            "  12: (0f) r3 += r1",
            "> 12: (0f) r3 += r1",
            "[1.25] host: 12: (0f) r3 += r1",
        ] {
            let CostLine::Insn { pc, opcode, rest } = read(line) else {
                panic!("{line}: {:?}", read(line));
            };
            assert_eq!((pc, opcode, rest), (12, 0x0f, &b"r3 += r1"[..]));
        }
    }

    #[test]
    fn ends_and_beginnings_of_paths() {
        assert_eq!(read("21: safe"), CostLine::Pruned { pc: 21 });
        let resumed = |from, to, text, pruned| CostLine::Resumed {
            from,
            to,
            text,
            pruned,
        };
        assert_eq!(
            read("from 20 to 22: safe"),
            resumed(20, 22, &b" safe"[..], true)
        );
        assert_eq!(
            read("from 3 to 5 (speculative execution): R1=1"),
            resumed(3, 5, &b" R1=1"[..], false)
        );
    }

    #[test]
    fn what_must_be_exact_in_both_spellings() {
        let expected = CostLine::Precise {
            registers: 0x42,
            slots: 0b101,
            pc: 13,
        };
        assert_eq!(read("regs=42 stack=5 before 13: (bf) r2 = r3"), expected);
        let new = "mark_precise: frame0: regs=r1,r6 stack=-8,-24 before 13: (bf) r2 = r3";
        assert_eq!(read(new), expected);
        assert_eq!(
            read("mark_precise: frame1: last_idx 16 first_idx 15 subseq_idx -1 "),
            CostLine::PreciseFor { pc: 16 }
        );
    }

    #[test]
    fn functions() {
        assert_eq!(
            read("func#1 @40"),
            CostLine::FunctionAt { number: 1, pc: 40 }
        );
        let (number, name) = (1, &b"mix"[..]);
        let validating = CostLine::Validating { number, name };
        assert_eq!(read("Validating mix() func#1..."), validating);
        let named = CostLine::FunctionName { number, name };
        assert_eq!(read("subprog#1 mix:"), named);
        assert_eq!(read("subprog 1 (mix) static insns_self 12 stack 0"), named);
        assert_eq!(read("subprog#0: analyzing (depth 0)..."), CostLine::Listing);
    }

    #[test]
    fn other_lines() {
        assert_eq!(read("to caller at 11:"), CostLine::FrameChange);
        assert_eq!(read("frame 0: propagating r1,fp-8"), CostLine::Propagated);
        assert_eq!(read("from nowhere"), CostLine::Other);
        assert_eq!(read("12 apples"), CostLine::Other);
        assert_eq!(read(""), CostLine::Other);
        assert_eq!(read("99999999999: (0f) r1 += r2"), CostLine::Other);
    }
}
