//! An instruction as the log shows it: `12: (69) r1 = *(u16 *)(r1 +12)`.

use alloc::borrow::{Cow, ToOwned};
use alloc::format;
use alloc::string::String;

use memchr::{memchr, memchr3, memmem};

use crate::grammar::needle::Needle;

/// One of the instructions that the verifier went through.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Insn {
    /// Its number in the program.
    pub pc: u32,
    /// The first byte of its code; 0 where no line of the log shows the instruction.
    pub opcode: u8,
    /// `r1 = *(u16 *)(r1 +12)`; empty where only a message names the instruction.
    pub text: String,
    #[cfg_attr(feature = "serde", serde(skip))]
    action: InsnAction,
}

impl Insn {
    pub(crate) fn new(pc: u32, opcode: u8, text: &str) -> Self {
        let mut action = decode_action(&in_new_spelling(text)).unwrap_or(InsnAction::Other);
        // It may be an address as well, which unprivileged users see as 0.
        if opcode == LOAD_64_BITS
            && let InsnAction::Move { to, .. } = action
        {
            action = InsnAction::Set { to };
        }
        Self {
            pc,
            opcode,
            text: text.to_owned(),
            action,
        }
    }

    /// One that a message names and no line of the log shows: it has no text.
    pub(crate) fn not_shown(pc: u32) -> Self {
        Self::new(pc, 0, "")
    }

    pub(crate) fn insn_action(&self) -> &InsnAction {
        &self.action
    }

    /// `w1` is the lower half of R1; Linux 4.x wrote `(u32) r1`.
    pub(crate) fn is_half(&self) -> bool {
        ["w", "if w", "(u32) "]
            .iter()
            .any(|start| self.text.starts_with(start))
    }

    /// R1 to R5 have no value after it.
    pub(crate) fn clears_arguments(&self) -> bool {
        let is_call = matches!(
            self.action,
            InsnAction::Helper { .. } | InsnAction::Function
        );
        // `r0 = *(u8 *)skb[14]`
        is_call || self.text.contains(" *)skb[")
    }

    /// Whether it names a register.
    pub(crate) fn names_register(&self, register: Register) -> bool {
        let words = self
            .text
            .split(|letter: char| !letter.is_ascii_alphanumeric());
        words
            .filter_map(parse_register)
            .any(|named| named == register)
    }

    /// Where it jumps to: 15 for `11: if r1 == 0x0 goto pc+3`.
    pub(crate) fn jump_goal(&self) -> Option<u32> {
        find_jump_goal(self.pc, &self.text)
    }

    /// The instruction in the next line of the program; those with a number of 64 bits take two.
    pub(crate) fn next_pc(&self) -> u32 {
        let length = if self.opcode == LOAD_64_BITS { 2 } else { 1 };
        self.pc.saturating_add(length)
    }
}

/// Where `if r1 == 0x0 goto pc+3` at an instruction leads; of a call, where the function begins.
pub fn find_jump_goal(pc: u32, text: &str) -> Option<u32> {
    let (_, distance) = text.rsplit_once(" pc")?;
    let distance: i64 = distance.parse().ok()?;
    u32::try_from(i64::from(pc) + 1 + distance).ok()
}

/// `r1 = map[id:5]`, `r1 = 0xffff...`: takes the place of two instructions.
pub const LOAD_64_BITS: u8 = 0x18;

/// Linux 4.x writes `(u32) r1 = (u32) r2` for `w1 = w2`.
fn in_new_spelling(text: &str) -> Cow<'_, str> {
    if text.starts_with("(u32) r") {
        Cow::Owned(text.replace("(u32) r", "w"))
    } else {
        Cow::Borrowed(text)
    }
}

/// An instruction in a line of the log.
#[derive(Debug, Eq, PartialEq)]
pub struct FoundInsn {
    pub insn: Insn,
    /// Where in the line its text ends.
    pub end: usize,
}

pub fn find_insn(line: &str) -> Option<FoundInsn> {
    static COLON: Needle = Needle::new(": (");
    COLON.find_in(line.as_bytes())?;
    line.match_indices(": (")
        .find_map(|(colon, _)| parse_insn(line, colon))
}

/// The instruction whose number ends at `colon`.
fn parse_insn(line: &str, colon: usize) -> Option<FoundInsn> {
    let before = line[..colon].trim_end_matches(|letter: char| letter.is_ascii_digit());
    // `regs=4 stack=0 before 20: (bf) r2 = r1`: the verifier looks back, it does not go on.
    if before.ends_with("before ") {
        return None;
    }
    let pc = line[before.len()..colon].parse().ok()?;
    let opcode = u8::from_str_radix(line.get(colon + 3..colon + 5)?, 16).ok()?;
    let rest = line.get(colon + 5..)?.strip_prefix(") ")?;
    let length = measure_text(rest);
    Some(FoundInsn {
        insn: Insn::new(pc, opcode, rest[..length].trim_end()),
        end: line.len() - rest.len() + length,
    })
}

/// The call that libbpf shows a mark for, because it put it there for what it could not find: `15:
/// <invalid kfunc call>`.
pub fn find_replaced_insn(line: &str) -> Option<Insn> {
    const CALL: u8 = 0x85;
    let (before, mark) = line.split_once(": <invalid ")?;
    let (name, _) = mark.split_once('>')?;
    let digits = before
        .rsplit(|letter: char| !letter.is_ascii_digit())
        .next()?;
    let text = format!("<invalid {name}>");
    Some(Insn::new(digits.parse().ok()?, CALL, &text))
}

/// The number of an instruction whose line has nothing else of interest, from a cheap look at its
/// bytes: a log is made of such lines.
pub fn find_plain_pc(bytes: &[u8]) -> Option<u32> {
    let digits = bytes
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count();
    let rest = &bytes[digits..];
    let is_insn = rest.starts_with(b": (") && rest.get(5..7) == Some(b") ");
    // An error may follow it, after a colon, or without one where no comment follows.
    let comment = memchr(b';', rest).unwrap_or(rest.len());
    if !is_insn
        || memmem::find(&rest[2..], b": ").is_some()
        || memmem::find(&rest[..comment], b" R").is_some()
    {
        return None;
    }
    str::from_utf8(&bytes[..digits]).ok()?.parse().ok()
}

/// Where the text of an instruction ends: before the state that newer kernels put after a `;`,
/// before the error that someone put after it, or before the place that a jump or a callback leads
/// to (`goto pc+3 15: R0=scalar()`).
fn measure_text(text: &str) -> usize {
    static COLON: Needle = Needle::new(": ");
    static REGISTER: Needle = Needle::new(" R");
    let bytes = text.as_bytes();
    let end = [
        memchr3(b';', b'\\', b'"', bytes),
        COLON.find_in(bytes),
        REGISTER.find_in(bytes),
    ]
    .into_iter()
    .flatten()
    .min()
    .unwrap_or(text.len());
    let before = text[..end].trim_end_matches(|letter: char| letter.is_ascii_digit());
    let leads_away = ["goto pc", "gotol pc", "call "]
        .iter()
        .any(|word| before.contains(word));
    if before.ends_with(' ') && leads_away && text[end..].starts_with(": ") {
        return before.len();
    }
    end
}

/// A register, by its number.
pub type Register = u8;

/// R10 points to the top of the stack.
pub const FRAME_POINTER: Register = 10;

/// The second operand of an instruction.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Operand {
    Register(Register),
    Number(i64),
}

/// Memory that an instruction reads or writes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct MemoryPlace {
    pub base: Register,
    pub offset: i32,
    pub bytes: u8,
}

/// What an instruction does, as far as it matters for where values come from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum InsnAction {
    /// `r1 = r2`, `w1 = 5`
    Move {
        to: Register,
        from: Operand,
    },
    /// `r1 += r2`; also `r1 = -r1`, without an operand
    Change {
        to: Register,
        operator: String,
        by: Option<Operand>,
    },
    /// `r1 = *(u32 *)(r6 +0)`
    Load {
        to: Register,
        place: MemoryPlace,
    },
    /// `*(u64 *)(r10 -8) = r1`
    Store {
        place: MemoryPlace,
        from: Operand,
    },
    /// `r1 = (s8)r2`, `r1 = be16 r2`: another value, made of that of another register
    Convert {
        to: Register,
        from: Register,
    },
    /// `r1 = 0xffff8881...`, `r1 = map[id:5]`, and all else that sets a register to what is no
    /// number
    Set {
        to: Register,
    },
    /// `lock *(u64 *)(r1 +0) += r2`, `r1 = atomic64_fetch_add((u64 *)(r2 +0), r1)`
    Atomic {
        place: MemoryPlace,
        to: Option<Register>,
    },
    /// `call bpf_map_lookup_elem#1`
    Helper {
        name: String,
    },
    /// `call pc+5`: a function of the program
    Function,
    Compare {
        left: Register,
        operator: String,
        right: Option<Operand>,
    },
    /// `goto pc+3`, also one that may be taken or not
    Goto,
    Exit,
    /// Anything else: it may change whatever it likes.
    Other,
}

impl InsnAction {
    /// The register that has another value afterwards.
    pub fn set_register(&self) -> Option<Register> {
        match self {
            Self::Move { to, .. }
            | Self::Change { to, .. }
            | Self::Load { to, .. }
            | Self::Convert { to, .. }
            | Self::Set { to } => Some(*to),
            Self::Atomic { to, .. } => *to,
            Self::Helper { .. } | Self::Function => Some(0),
            _ => None,
        }
    }

    /// R2 of `r1 += r2`.
    pub fn changes_by(&self) -> Option<Register> {
        match self {
            Self::Change {
                by: Some(Operand::Register(by)),
                ..
            } => Some(*by),
            _ => None,
        }
    }
}

fn decode_action(text: &str) -> Option<InsnAction> {
    if let Some(called) = text.strip_prefix("call ") {
        return Some(call(called));
    }
    if let Some(condition) = text.strip_prefix("if ") {
        return comparison(condition);
    }
    if text == "exit" {
        return Some(InsnAction::Exit);
    }
    if ["goto", "may_goto", "nop"]
        .iter()
        .any(|start| text.starts_with(start))
    {
        return Some(InsnAction::Goto);
    }
    if text.starts_with("lock ") || text.contains("atomic") {
        return atomic(text);
    }
    if let Some(stored) = text.strip_prefix("store_release(") {
        let (to, from) = stored.strip_suffix(')')?.rsplit_once(", ")?;
        return Some(InsnAction::Store {
            place: place(to)?,
            from: operand(from)?,
        });
    }
    let (left, right) = text.split_once(" = ").or_else(|| changed(text))?;
    if let Some(loaded) = right.strip_prefix("load_acquire(") {
        return Some(InsnAction::Load {
            to: parse_register(left)?,
            place: place(loaded)?,
        });
    }
    if left.starts_with('*') {
        return Some(InsnAction::Store {
            place: place(left)?,
            from: operand(right)?,
        });
    }
    let (target, operator) = left.split_once(' ').unwrap_or((left, "="));
    let to = parse_register(target)?;
    Some(match (operator, operand(right), place(right)) {
        ("=", Some(from), _) => InsnAction::Move { to, from },
        ("=", _, Some(place)) if right.starts_with('*') => InsnAction::Load { to, place },
        ("=", ..) if right.starts_with("map") || right.starts_with("0x") => InsnAction::Set { to },
        ("=", ..) => conversion(to, right),
        (_, by, _) => InsnAction::Change {
            to,
            operator: operator.to_owned(),
            by,
        },
    })
}

/// `r1 += r2` as (`r1 +=`, `r2`).
fn changed(text: &str) -> Option<(&str, &str)> {
    let at = text.find("= ")?;
    Some((&text[..=at], &text[at + 2..]))
}

fn call(called: &str) -> InsnAction {
    if called.starts_with("pc") {
        return InsnAction::Function;
    }
    InsnAction::Helper {
        name: called.split('#').next().unwrap_or(called).to_owned(),
    }
}

fn comparison(condition: &str) -> Option<InsnAction> {
    let mut words = condition.split(' ');
    let left = parse_register(words.next()?)?;
    let operator = words.next()?.to_owned();
    Some(InsnAction::Compare {
        left,
        operator,
        right: words.next().and_then(operand),
    })
}

/// Only those that hand out the old value set a register.
fn atomic(text: &str) -> Option<InsnAction> {
    let to = match text.split_once(" = ") {
        Some((register, _)) => Some(parse_register(register)?),
        None => None,
    };
    let start = text.find(" *)(")?;
    let start = text[..start].rfind('(')?;
    Some(InsnAction::Atomic {
        place: place(&text[start..])?,
        to,
    })
}

/// `r1 = -r1`, `r1 = be16 r1`, `r2 = (s8)r1`, `r1 = &(void __percpu *)(r1)`: a new value made of
/// an old one, or one that nothing is known of.
fn conversion(to: Register, right: &str) -> InsnAction {
    let from = right
        .rsplit([' ', ')', '-'])
        .next()
        .and_then(parse_register);
    let is_conversion = right.starts_with(['-', '('])
        || right.starts_with("be")
        || right.starts_with("le")
        || right.starts_with("bswap");
    match from {
        Some(from) if is_conversion && from != to => InsnAction::Convert { to, from },
        Some(_) if is_conversion => InsnAction::Change {
            to,
            operator: right.to_owned(),
            by: None,
        },
        _ => InsnAction::Set { to },
    }
}

/// `r7`, `w7`; the log counts to `r11`.
fn parse_register(text: &str) -> Option<Register> {
    let number = text.strip_prefix(['r', 'w', 'R'])?;
    number
        .parse()
        .ok()
        .filter(|&number| number <= 11 && text.len() <= 3)
}

fn operand(text: &str) -> Option<Operand> {
    parse_register(text)
        .map(Operand::Register)
        .or_else(|| parse_number(text).map(Operand::Number))
}

/// Decimal or hexadecimal; addresses of the kernel are no numbers that mean something.
pub fn parse_number(text: &str) -> Option<i64> {
    let (sign, digits) = text
        .strip_prefix('-')
        .map_or((1, text), |digits| (-1, digits));
    let value = match digits.strip_prefix("0x") {
        Some(hex) if hex.len() <= 8 => i64::from_str_radix(hex, 16).ok()?,
        Some(_) => return None,
        None => digits.parse().ok()?,
    };
    Some(sign * value)
}

/// `*(u32 *)(r6 +16)`; atomic operations have it without the first `*`.
fn place(text: &str) -> Option<MemoryPlace> {
    let text = text.strip_prefix('*').unwrap_or(text);
    let (size, rest) = text.strip_prefix('(')?.split_once(" *)(")?;
    let bits: u8 = size.get(1..)?.parse().ok()?;
    let (base, offset) = rest.split(')').next()?.split_once(' ')?;
    Some(MemoryPlace {
        base: parse_register(base)?,
        offset: offset.trim_start_matches('+').parse().ok()?,
        bytes: bits / 8,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn action(text: &str) -> InsnAction {
        Insn::new(0, 0, text).insn_action().clone()
    }

    #[test]
    fn an_instruction_is_found_after_any_prefix() {
        let FoundInsn { insn, end } =
            find_insn("> libbpf: 12: (69) r1 = *(u16 *)(r1 +12)          ; R1_w=scalar()").unwrap();
        assert_eq!((insn.pc, insn.opcode), (12, 0x69));
        assert_eq!(insn.text, "r1 = *(u16 *)(r1 +12)");
        assert_eq!(end, 50);
    }

    #[test]
    fn an_error_after_it_is_not_its_text() {
        let line = "permission denied: 127: (61) r9 = *(u32 *)(r1 +0): R1 invalid mem access \
                    'map_value_or_null'";
        assert_eq!(find_insn(line).unwrap().insn.text, "r9 = *(u32 *)(r1 +0)");
    }

    #[test]
    fn the_state_at_the_goal_of_a_jump_is_not_its_text() {
        let line = "11: (15) if r1 == 0x0 goto pc+3 15: R0=scalar() R1=0";
        let FoundInsn { insn, end } = find_insn(line).unwrap();
        assert_eq!(insn.text, "if r1 == 0x0 goto pc+3");
        assert_eq!(&line[end..], "15: R0=scalar() R1=0");
    }

    #[test]
    fn what_is_no_instruction_is_none() {
        for line in [
            "",
            ": (",
            "12: (zz) r1",
            "12: (6",
            "12: (69)r1",
            "x: (69) r1",
            "99999999999: (69) r1",
            ": (é",
        ] {
            assert_eq!(find_insn(line), None, "{line}");
        }
    }

    #[test]
    fn moves_and_changes() {
        use Operand::{Number, Register};
        assert_eq!(
            action("r1 = r10"),
            InsnAction::Move {
                to: 1,
                from: Register(10)
            }
        );
        assert_eq!(
            action("w1 = -5"),
            InsnAction::Move {
                to: 1,
                from: Number(-5)
            }
        );
        assert_eq!(
            action("r1 s>>= 32"),
            InsnAction::Change {
                to: 1,
                operator: "s>>=".into(),
                by: Some(Number(32))
            }
        );
        assert_eq!(
            action("r1 += r2"),
            InsnAction::Change {
                to: 1,
                operator: "+=".into(),
                by: Some(Register(2))
            }
        );
        for text in ["r1 = (s8)r2", "r1 = be16 r2", "r1 = -r2"] {
            assert_eq!(
                action(text),
                InsnAction::Convert { to: 1, from: 2 },
                "{text}"
            );
        }
        assert_eq!(
            action("(u32) r1 = (u32) r2"),
            InsnAction::Move {
                to: 1,
                from: Register(2)
            }
        );
        let address = Insn::new(0, LOAD_64_BITS, "r1 = 0x0");
        assert_eq!(address.insn_action(), &InsnAction::Set { to: 1 });
        assert_eq!(
            action("r1 = -r1"),
            InsnAction::Change {
                to: 1,
                operator: "-r1".into(),
                by: None
            }
        );
        assert_eq!(action("r1 = 0xffff8881234567ab"), InsnAction::Set { to: 1 });
        assert_eq!(action("r1 = map[id:5]"), InsnAction::Set { to: 1 });
    }

    #[test]
    fn memory() {
        let place = MemoryPlace {
            base: 10,
            offset: -8,
            bytes: 8,
        };
        assert_eq!(
            action("r1 = *(u64 *)(r10 -8)"),
            InsnAction::Load { to: 1, place }
        );
        assert_eq!(
            action("*(u64 *)(r10 -8) = r3"),
            InsnAction::Store {
                place,
                from: Operand::Register(3)
            }
        );
        assert_eq!(
            action("*(u64 *)(r10 -8) = 0"),
            InsnAction::Store {
                place,
                from: Operand::Number(0)
            }
        );
        let place = MemoryPlace {
            base: 2,
            offset: 0,
            bytes: 8,
        };
        for (text, to) in [
            ("lock *(u64 *)(r2 +0) += r1", None),
            ("r1 = atomic64_fetch_add((u64 *)(r2 +0), r1)", Some(1)),
            ("r0 = atomic64_cmpxchg((u64 *)(r2 +0), r0, r3)", Some(0)),
        ] {
            assert_eq!(action(text), InsnAction::Atomic { place, to }, "{text}");
        }
        assert_eq!(
            action("r1 = load_acquire((u64 *)(r2 +0))"),
            InsnAction::Load { to: 1, place }
        );
        assert_eq!(
            action("store_release((u64 *)(r2 +0), r3)"),
            InsnAction::Store {
                place,
                from: Operand::Register(3)
            }
        );
    }

    #[test]
    fn calls_and_jumps() {
        assert_eq!(
            action("call bpf_map_lookup_elem#1"),
            InsnAction::Helper {
                name: "bpf_map_lookup_elem".into()
            }
        );
        assert_eq!(action("call pc+12"), InsnAction::Function);
        assert_eq!(action("exit"), InsnAction::Exit);
        assert_eq!(action("may_goto pc+2"), InsnAction::Goto);
        assert_eq!(
            Insn::new(11, 0x15, "if r1 == 0x0 goto pc+3").jump_goal(),
            Some(15)
        );
        assert_eq!(Insn::new(11, 0x05, "goto pc-12").jump_goal(), Some(0));
        assert_eq!(Insn::new(11, 0x05, "goto pc-13").jump_goal(), None);
        let right = Some(Operand::Number(0));
        assert_eq!(
            action("if r0 == 0x0 goto pc+2"),
            InsnAction::Compare {
                left: 0,
                operator: "==".into(),
                right
            }
        );
    }

    #[test]
    fn a_plain_instruction_is_known_without_reading_it() {
        assert_eq!(find_plain_pc(b"12: (bf) r6 = r1 ; R6_w=ctx()"), Some(12));
        assert_eq!(
            find_plain_pc(b"12: (61) r9 = *(u32 *)(r1 +0): R1 invalid mem access 'inv'"),
            None
        );
        assert_eq!(
            find_plain_pc(b"12: (85) call bpf_x#4 R2 min value is negative"),
            None
        );
        assert_eq!(find_plain_pc(b"libbpf: 12: (bf) r6 = r1"), None);
        assert_eq!(find_plain_pc(b""), None);
        assert_eq!(find_plain_pc(b"99999999999: (bf) r6 = r1"), None);
    }
}
