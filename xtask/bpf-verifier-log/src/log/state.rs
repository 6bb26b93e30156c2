//! The registers and stack slots of a line, in the spelling of any kernel:
//! `R1=inv(id=0,umax_value=255,var_off=(0x0; 0xff))`, `R1_w=scalar(smin=0,smax=umax=255)`, `R10=fp0
//! fp-8=mmmm????`.

use alloc::borrow::ToOwned;
use alloc::format;
use alloc::string::String;
use alloc::string::ToString;
use alloc::vec::Vec;

use crate::log::bounds::Bounds;
use crate::log::insn::{Register, parse_number};

/// What the verifier knows at one point of the program.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FrameState {
    /// The function that it is about: 0 is the main program, 1 one that it called.
    pub frame: u32,
    pub registers: Vec<(u8, TrackedValue)>,
    /// Stack slots by their offset from R10.
    pub slots: Vec<(i32, TrackedValue)>,
}

/// What a register or a stack slot holds.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct TrackedValue {
    /// The verifier's name of it, in the newest spelling: `scalar`, `map_value`, `pkt`, `ctx`,
    /// `fp`...
    pub kind: String,
    /// As it is in the log, without what is in parentheses: for slots, for example,
    /// `mmmm????`.
    pub text: String,
    /// The number itself, or the unknown part of a pointer's offset.
    pub bounds: Bounds,
    /// The fixed part of a pointer's offset.
    pub offset: i64,
    /// How many bytes of the packet after the pointer a check has proved to be there.
    pub range: Option<u64>,
    pub key_size: Option<u64>,
    pub value_size: Option<u64>,
    /// Bytes of the memory that it points to.
    pub mem_size: Option<u64>,
    pub map: Option<String>,
    /// Values with the same number are copies of each other, as far as the verifier keeps track.
    pub id: Option<u64>,
    /// Which of the program's references it belongs to.
    pub reference: Option<u64>,
    /// The line has only a part of it: `smin=0xffff...`
    pub is_partial: bool,
    /// The line of the input that shows it, or that has the number.
    pub line: usize,
}

impl TrackedValue {
    fn new(kind: &str, text: &str) -> Self {
        Self {
            kind: modern(kind).to_owned(),
            text: text.to_owned(),
            bounds: Bounds::UNKNOWN,
            offset: 0,
            range: None,
            key_size: None,
            value_size: None,
            mem_size: None,
            map: None,
            id: None,
            reference: None,
            is_partial: false,
            line: 0,
        }
    }

    pub fn from_number(value: i64) -> Self {
        Self {
            bounds: Bounds::from_constant(value),
            ..Self::new("scalar", &value.to_string())
        }
    }

    /// The address that many bytes from the top of the stack.
    pub fn from_stack_offset(offset: i64) -> Self {
        Self {
            offset,
            bounds: Bounds::from_constant(0),
            ..Self::new("fp", &format!("fp{offset}"))
        }
    }

    pub fn is_number(&self) -> bool {
        self.kind == "scalar"
    }

    pub fn may_be_null(&self) -> bool {
        self.kind.contains("_or_null")
    }

    /// Into the packet; not its end.
    pub fn is_in_packet(&self) -> bool {
        matches!(self.kind.as_str(), "pkt" | "pkt_meta")
    }

    /// A slot of the stack of which only some bytes are a saved register.
    pub fn is_mixed(&self) -> bool {
        self.kind == MIXED
    }
}

/// The kind of a slot that holds several things.
const MIXED: &str = "mixed";

/// Where a value is. In the order of a state: registers by number, then the stack from below.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Location {
    Register(Register),
    /// A slot of the stack, by its offset from R10.
    Slot(i32),
}

impl FrameState {
    pub fn value_at(&self, location: Location) -> Option<&TrackedValue> {
        match location {
            Location::Register(register) => self.register_value(register),
            Location::Slot(offset) => self.slot_value(offset),
        }
    }

    pub fn set_value(&mut self, location: Location, value: Option<TrackedValue>) {
        match location {
            Location::Register(register) => self.set_register(register, value),
            Location::Slot(offset) => self.set_slot(offset, value),
        }
    }

    /// Where the state knows a value.
    pub fn known_locations(&self) -> Vec<Location> {
        let mut locations = Vec::new();
        for (register, _) in &self.registers {
            locations.push(Location::Register(*register));
        }
        for (offset, _) in &self.slots {
            locations.push(Location::Slot(*offset));
        }
        locations
    }

    pub fn register_value(&self, number: u8) -> Option<&TrackedValue> {
        self.registers
            .iter()
            .find(|(name, _)| *name == number)
            .map(|(_, value)| value)
    }

    pub fn slot_value(&self, offset: i32) -> Option<&TrackedValue> {
        self.slots
            .iter()
            .find(|(at, _)| *at == offset)
            .map(|(_, value)| value)
    }

    /// Says which line of the input shows all of it.
    pub fn set_line(&mut self, line: usize) {
        for (_, value) in &mut self.registers {
            value.line = line;
        }
        for (_, value) in &mut self.slots {
            value.line = line;
        }
    }

    /// Forgets the slots that have any of these bytes.
    pub fn clear_bytes(&mut self, offset: i64, bytes: i64) {
        const SLOT: i64 = 8;
        self.slots.retain(|(at, _)| {
            let at = i64::from(*at);
            at.saturating_add(SLOT) <= offset || offset.saturating_add(bytes) <= at
        });
    }

    /// Forgets the values that are not as asked.
    pub fn retain_values(&mut self, keep: impl Fn(&TrackedValue) -> bool) {
        self.registers.retain(|(_, value)| keep(value));
        self.slots.retain(|(_, value)| keep(value));
    }

    pub fn is_empty(&self) -> bool {
        self.registers.is_empty() && self.slots.is_empty()
    }

    pub fn set_register(&mut self, register: u8, value: Option<TrackedValue>) {
        self.registers.retain(|(name, _)| *name != register);
        self.registers.extend(value.map(|value| (register, value)));
    }

    pub fn set_slot(&mut self, offset: i32, value: Option<TrackedValue>) {
        self.slots.retain(|(at, _)| *at != offset);
        self.slots.extend(value.map(|value| (offset, value)));
    }

    /// Takes over what another state says; what it does not mention stays.
    pub fn update_from(&mut self, newer: &Self) {
        for (register, value) in &newer.registers {
            self.set_register(*register, Some(value.clone()));
        }
        for (offset, value) in &newer.slots {
            self.set_slot(*offset, Some(value.clone()));
        }
    }
}

/// The state in a line's text; `None` if there is none.
pub fn parse_state(text: &str) -> Option<FrameState> {
    let mut state = FrameState::default();
    let is_oldest = is_oldest_spelling(text);
    let read = |text: &str| {
        if is_oldest {
            oldest_value(text)
        } else {
            self::value(text)
        }
    };
    for word in split_outside_parentheses(text, ' ') {
        if let Some(frame) = word
            .strip_prefix("frame")
            .and_then(|rest| rest.strip_suffix(':'))
        {
            state.frame = frame.parse().ok()?;
        } else if let Some((name, value)) = word.split_once('=') {
            let name = name.split('_').next().unwrap_or(name);
            if let Some(register) = name
                .strip_prefix('R')
                .and_then(|number| number.parse().ok())
            {
                state.set_register(register, Some(read(value)));
            } else if let Some(slot) = name
                .strip_prefix("fp")
                .and_then(|offset| offset.parse().ok())
            {
                state.set_slot(slot, Some(slot_value(value)));
            }
        }
    }
    (!state.is_empty()).then_some(state)
}

/// Up to Linux 4.13, limits come after the value, and `inv48` is a number of which 48 bits are 0.
/// These kernels do not write `R10=fp0`.
fn is_oldest_spelling(text: &str) -> bool {
    text.split(' ').any(|word| word == "R10=fp")
}

fn oldest_value(text: &str) -> TrackedValue {
    let text = split_outside_parentheses(text, ',').next().unwrap_or(text);
    let mut value = if text.starts_with("inv") {
        TrackedValue::new("scalar", text)
    } else {
        value(text)
    };
    value.is_partial = !text.starts_with("imm");
    value
}

/// Whether the text begins as a state does: `R1=`, `R1_w=`, `fp-8=`, `frame1: R`.
pub fn starts_with_state(text: &str) -> bool {
    let text = text.strip_prefix("frame").map_or(text, |rest| {
        rest.trim_start_matches(|digit: char| digit.is_ascii_digit())
            .trim_start_matches(':')
            .trim_start()
    });
    let name = text.split('=').next().unwrap_or_default();
    if name.len() == text.len() {
        return false;
    }
    let name = name.split('_').next().unwrap_or_default();
    let digits = name.strip_prefix("fp-").or_else(|| name.strip_prefix('R'));
    digits.is_some_and(|digits| {
        (1..=4).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// `mmmm????`: a letter for each byte, the highest first. `mmmm42`: only the lower bytes are a
/// saved register.
fn slot_value(text: &str) -> TrackedValue {
    const MOST: usize = 8;
    /// No kind of value begins with so many of these letters.
    const FEWEST: usize = 4;
    let letters = text
        .bytes()
        .take_while(|byte| b"m0?".contains(byte))
        .count();
    if letters >= FEWEST && text.len() != MOST.min(letters) {
        return TrackedValue::new(MIXED, text);
    }
    value(text)
}

fn value(text: &str) -> TrackedValue {
    // A `P` in front says that the verifier needs it exactly.
    let text = text
        .strip_prefix('P')
        .filter(|rest| !rest.is_empty())
        .unwrap_or(text);
    let (kind, details) = match text.split_once('(') {
        Some((kind, details)) => (kind, details.strip_suffix(')').unwrap_or(details)),
        None => (text, ""),
    };
    let constant = kind
        .strip_prefix("inv")
        .or_else(|| kind.strip_prefix("imm"))
        .unwrap_or(kind);
    let constant = constant.strip_prefix('P').unwrap_or(constant);
    if let Some(number) = constant_number(constant) {
        return TrackedValue {
            text: text.to_owned(),
            ..TrackedValue::from_number(number)
        };
    }
    if let Some(offset) = kind.strip_prefix("fp").and_then(parse_number) {
        return TrackedValue {
            offset,
            ..with_details(TrackedValue::new("fp", text), details)
        };
    }
    with_details(TrackedValue::new(kind, text), details)
}

/// 0xffffffffffffffff is a number here: a register that is known to hold it.
fn constant_number(text: &str) -> Option<i64> {
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
        None => text
            .parse()
            .ok()
            .or_else(|| text.parse::<u64>().ok().map(u64::cast_signed)),
    }
}

/// The name that kernels from 5.18 on use.
fn modern(kind: &str) -> &str {
    match kind {
        "inv" | "invP" | "unknown" | "unknown_value" | "imm" | "UNKNOWN" => "scalar",
        _ => kind,
    }
}

fn with_details(mut value: TrackedValue, details: &str) -> TrackedValue {
    // A pointer has no unknown part unless a range of it is given.
    let is_ranged = ["min", "max", "var_off"]
        .iter()
        .any(|name| details.contains(name));
    if !value.is_number() && !is_ranged {
        value.bounds = Bounds::from_constant(0);
    }
    // Of a constant, kernels that print all of these say `imm=0`.
    let has = |name: &str| details.contains(name);
    value.is_partial =
        !value.is_number() && !is_ranged && has("id=") && has("off=") && !has("imm=");
    let mut names = Vec::new();
    for part in split_outside_parentheses(details, ',') {
        // `smin=0,smax=umax=255` gives several names one value.
        let mut pieces = part.split('=').peekable();
        names.clear();
        while let Some(piece) = pieces.next() {
            match pieces.peek() {
                Some(_) => names.push(piece.trim_end_matches("_value")),
                None if names == ["imm"] => add_constant(&mut value, piece, has("off=")),
                None => names
                    .iter()
                    .for_each(|name| detail(&mut value, name, piece)),
            }
        }
    }
    value.bounds.settle_bounds();
    value
}

/// `imm=30`, a constant that came out of a number with limits. Kernels that also write `off=0`
/// write it in hexadecimal.
fn add_constant(value: &mut TrackedValue, text: &str, has_offset: bool) {
    let decimal = constant_number(text);
    let hexadecimal = i64::from_str_radix(text, 16).ok();
    let number = decimal.filter(|_| !has_offset || decimal == hexadecimal);
    match number.and_then(|number| value.offset.checked_add(number)) {
        Some(offset) => value.offset = offset,
        None => value.is_partial = true,
    }
}

/// The parts between the separators, except those within parentheses: `var_off=(0x0; 0xff)` is one
/// word.
fn split_outside_parentheses(text: &str, separator: char) -> impl Iterator<Item = &str> {
    let mut depth = 0_usize;
    text.split(move |character: char| {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        character == separator && depth == 0
    })
}

fn detail(value: &mut TrackedValue, name: &str, text: &str) {
    let number = constant_number(text);
    value.is_partial |= number.is_none() && (name.contains("min") || name.contains("max"));
    let size = number.and_then(|number| u64::try_from(number).ok());
    let bounds = &mut value.bounds;
    match (name, number) {
        ("off", Some(number)) => value.offset = number,
        ("smin", Some(number)) => bounds.smin = number,
        ("smax", Some(number)) => bounds.smax = number,
        ("umin", Some(number)) => bounds.umin = number.cast_unsigned(),
        ("umax", Some(number)) => bounds.umax = number.cast_unsigned(),
        ("var_off", _) => set_bits(bounds, text),
        ("r", _) => value.range = size,
        ("ks", _) => value.key_size = size,
        ("vs", _) => value.value_size = size,
        ("sz" | "mem_size", _) => value.mem_size = size,
        ("map", _) => value.map = Some(text.to_owned()),
        // `id=3+4`: a copy to which 4 was added.
        ("id", _) => {
            let number = text.split('+').next().unwrap_or(text);
            value.id = number.parse().ok().filter(|&id| id != 0);
        }
        ("ref_obj_id" | "ref_id", _) => value.reference = size.filter(|&id| id != 0),
        _ => {}
    }
}

/// `(0x0; 0xff)`: the bits that are set, and those that may be.
fn set_bits(bounds: &mut Bounds, text: &str) {
    let inner = text.trim_start_matches('(').trim_end_matches(')');
    if let Some((known, mask)) = inner.split_once("; ")
        && let (Some(known), Some(mask)) = (constant_number(known), constant_number(mask))
    {
        (bounds.known, bounds.mask) = (known.cast_unsigned(), mask.cast_unsigned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(text: &str) -> TrackedValue {
        parse_state(&format!("R1={text}"))
            .unwrap()
            .register_value(1)
            .unwrap()
            .clone()
    }

    #[test]
    fn numbers_in_all_spellings() {
        for text in ["inv5", "5", "P5", "0x5", "imm5", "invP5"] {
            assert_eq!(one(text).bounds.as_constant(), Some(5), "{text}");
        }
        assert_eq!(one("-8").bounds.as_constant(), Some(-8));
        assert_eq!(one("0xffffffff").bounds.as_constant(), Some(0xffff_ffff));
        for text in [
            "inv",
            "inv(id=0)",
            "invP(id=0)",
            "scalar()",
            "Pscalar()",
            "unknown",
        ] {
            let value = one(text);
            assert!(
                value.is_number() && value.bounds.is_unknown(),
                "{text}: {value:?}"
            );
        }
    }

    #[test]
    fn bounds_of_old_and_new_kernels() {
        let old = one("inv(id=0,umin_value=1,umax_value=255,var_off=(0x0; 0xff))").bounds;
        let new = one(
            "scalar(smin=umin=smin32=umin32=1,smax=umax=smax32=umax32=255,var_off=(0x0; 0xff))",
        )
        .bounds;
        assert_eq!(
            (old.smin, old.smax, old.umin, old.umax, old.mask),
            (1, 255, 1, 255, 0xff)
        );
        assert_eq!(old, new);
    }

    #[test]
    fn pointers() {
        let value = one("map_value(id=0,off=4,ks=4,vs=16,imm=0)");
        assert_eq!(
            (value.kind.as_str(), value.offset, value.value_size),
            ("map_value", 4, Some(16))
        );
        let value = one("map_value_or_null(id=4,map=sleep_hists,ks=4,vs=272)");
        assert_eq!(
            (value.map.as_deref(), value.kind.as_str()),
            (Some("sleep_hists"), "map_value_or_null")
        );
        let value = one("pkt(id=1,off=14,r=34,umax_value=60,var_off=(0x0; 0x3c))");
        assert_eq!(
            (value.offset, value.range, value.bounds.umax),
            (14, Some(34), 60)
        );
        assert_eq!(one("fp-16").offset, -16);
        assert_eq!(one("ctx(id=0,off=0,imm=0)").kind, "ctx");
    }

    #[test]
    fn a_whole_line() {
        let state =
            parse_state("frame1: R0_w=0 R10=fp0 fp-8_w=mmmm???? fp-16=map_value refs=706 cb")
                .unwrap();
        assert_eq!(state.frame, 1);
        assert_eq!(state.registers.len(), 2);
        assert_eq!(state.slot_value(-8).unwrap().text, "mmmm????");
        assert_eq!(state.slot_value(-16).unwrap().kind, "map_value");
    }

    #[test]
    fn the_oldest_spelling_has_limits_after_the_value() {
        let state = parse_state(
            "R0=imm6,min_value=6,max_value=6 R1=inv48 R2=inv60,min_value=0,max_value=15 \
             R6=map_value(ks=4,vs=8),min_value=0,max_value=3 R10=fp fp-8=imm",
        )
        .unwrap();
        let value = |register| state.register_value(register).unwrap();
        assert_eq!(value(0).bounds.as_constant(), Some(6));
        for register in [1, 2] {
            let number = value(register);
            assert!(number.is_number() && number.is_partial, "{number:?}");
        }
        assert_eq!(
            (value(6).kind.as_str(), value(6).is_partial),
            ("map_value", true)
        );
    }

    #[test]
    fn the_variable_part_of_a_pointer_may_be_unlimited() {
        assert!(one("pkt(id=1,off=14,r=0)").is_partial);
        for text in [
            "pkt(id=0,off=14,r=0,imm=0)",
            "pkt(id=1,off=14,r=0,umax_value=60)",
            "pkt(off=14,r=0)",
            "map_value_or_null(id=1,map=m,ks=4,vs=8)",
        ] {
            assert!(!one(text).is_partial, "{text}");
        }
        assert_eq!(one("map_value(id=0,off=4,ks=4,vs=64,imm=7)").offset, 11);
        assert!(one("map_value(id=0,off=4,ks=4,vs=64,imm=10)").is_partial);
        assert_eq!(one("ctx(imm=48)").offset, 48);
    }

    #[test]
    fn what_is_cut_is_no_limit() {
        assert!(one("scalar(smin=0xffff...,smax=14)").is_partial);
        assert!(!one("scalar(smin=0,smax=14,var_off=(0x0; 0xf))").is_partial);
        let linked = one("scalar(id=3+4,umax=14)");
        assert_eq!((linked.id, linked.is_partial), (Some(3), false));
        assert_eq!(one("inv(id=0,umax_value=14)").id, None);
        assert_eq!(one("ringbuf_mem(ref_obj_id=2,sz=8)").reference, Some(2));
    }

    #[test]
    fn slots_of_bytes() {
        let slot = |text: &str| {
            let state = parse_state(&format!("R10=fp0 fp-8={text}")).unwrap();
            state.slot_value(-8).unwrap().clone()
        };
        for text in ["mmmm42", "????scalar(umax=3)", "00005", "mmmmmmmscalar()"] {
            assert!(slot(text).is_mixed(), "{text}");
        }
        assert_eq!(slot("mmmm????").kind, "mmmm????");
        assert_eq!(slot("00000000").bounds.as_constant(), Some(0));
        assert_eq!(slot("map_value(ks=4)").kind, "map_value");
        assert_eq!(slot("1000000").bounds.as_constant(), Some(1_000_000));
    }

    #[test]
    fn a_state_is_known_by_its_start() {
        for text in [
            "R0=ctx()",
            "R0_w=1",
            "R10=fp0",
            "fp-8=m",
            "frame1: R1=ctx()",
            "R1_rwD=inv(id=0)",
        ] {
            assert!(starts_with_state(text), "{text}");
        }
        for text in [
            "R1 type=ctx expected=fp",
            "RX=1",
            "R0",
            "",
            "frame",
            "fp=1",
            "off=5",
            "R123456=1",
        ] {
            assert!(!starts_with_state(text), "{text}");
        }
    }
}
