//! What the registers and the stack hold, as the log goes on.
//!
//! Kernels from 5.16 on print only what an instruction changed or read; those before print all of
//! it. Here is what follows from both. A value is kept as the hash of its text, because that tells
//! whether two are the same; the numbers of ids in it do not count, since the kernel gives new ones
//! to the same value.

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

/// R0 to R10, then the slots of a stack of 512 bytes.
pub const LOCATIONS: usize = FIRST_SLOT + 64;
const FIRST_SLOT: usize = 11;
/// As deep as the kernel lets functions call each other.
const MOST_FRAMES: usize = 8;

/// Number of a register, or of a slot after them.
pub type LocationNumber = u8;

/// `R3`, `fp-16`: the offset of a slot, or the number of a register.
pub fn slot_offset(location: LocationNumber) -> Option<i32> {
    let slot = usize::from(location).checked_sub(FIRST_SLOT)?;
    Some(-8 * (slot as i32 + 1))
}

/// The bit of a slot in a mask whose bit 0 is the slot at -8.
pub fn slot_bit(location: LocationNumber) -> Option<u64> {
    let slot = usize::from(location).checked_sub(FIRST_SLOT)?;
    1_u64.checked_shl(slot as u32)
}

/// What a value is, as far as it is compared.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ValueForm {
    #[default]
    Pointer,
    Scalar,
    Number(i64),
}

#[derive(Clone, Copy, Debug, Default)]
pub struct WalkedValue {
    /// 0: nothing is known.
    pub hash: u64,
    pub form: ValueForm,
    /// The instruction after which it was first seen.
    pub origin: u32,
}

/// One function's registers and stack.
#[derive(Debug)]
pub struct WalkedFrame {
    values: Box<[WalkedValue; LOCATIONS]>,
    /// Which values are known.
    known: u128,
    /// Of all values together.
    sum: u64,
}

impl Default for WalkedFrame {
    fn default() -> Self {
        Self {
            values: Box::new([WalkedValue::default(); LOCATIONS]),
            known: 0,
            sum: 0,
        }
    }
}

impl WalkedFrame {
    pub fn known_values(&self) -> impl Iterator<Item = (LocationNumber, &WalkedValue)> {
        let mut left = self.known;
        core::iter::from_fn(move || {
            if left == 0 {
                return None;
            }
            let location = left.trailing_zeros();
            left &= left - 1;
            Some((location as LocationNumber, &self.values[location as usize]))
        })
    }

    fn set(&mut self, location: usize, hash: u64, form: ValueForm, origin: u32) {
        let value = &mut self.values[location];
        if self.known & (1 << location) != 0 {
            if value.hash == hash {
                return;
            }
            self.sum ^= mix(location, value.hash);
        }
        self.known |= 1 << location;
        self.sum ^= mix(location, hash);
        *value = WalkedValue { hash, form, origin };
    }

    fn forget(&mut self, location: usize) {
        if self.known & (1 << location) != 0 {
            self.sum ^= mix(location, self.values[location].hash);
            self.known &= !(1 << location);
        }
    }
}

fn mix(location: usize, hash: u64) -> u64 {
    (hash ^ (location as u64 + 1).wrapping_mul(0xff51_afd7_ed55_8ccd))
        .wrapping_mul(0x9e37_79b9_7f4a_7c15)
        .rotate_left(29)
}

/// Where values came from, when a path forked.
#[derive(Debug)]
pub struct SavedOrigins {
    frame: usize,
    values: Vec<(LocationNumber, u64, u32)>,
}

#[derive(Debug)]
pub struct WalkedState {
    frames: Vec<WalkedFrame>,
    current: usize,
}

impl Default for WalkedState {
    fn default() -> Self {
        Self {
            frames: vec![WalkedFrame::default()],
            current: 0,
        }
    }
}

impl WalkedState {
    pub fn frame_number(&self) -> usize {
        self.current
    }

    pub fn current_frame(&self) -> &WalkedFrame {
        &self.frames[self.current]
    }

    /// Of everything that is known in the function that is walked now.
    pub fn state_hash(&self) -> u64 {
        mix(self.current, self.current_frame().sum)
    }

    /// Takes over what a line says; `origin` is the instruction before it.
    pub fn update_from(&mut self, text: &[u8], origin: u32) {
        let mut reader = StateReader { text, at: 0 };
        // No name of a function's frame: the main program.
        self.enter_frame(reader.frame_name().unwrap_or(0));
        while let Some((location, value)) = reader.next_value() {
            let (hash, form) = weigh_value(value);
            self.frames[self.current].set(location, hash, form, origin);
        }
    }

    /// The line has all that is known: what it does not name is forgotten.
    pub fn replace_by(&mut self, text: &[u8], origin: u32) {
        let mut reader = StateReader { text, at: 0 };
        self.enter_frame(reader.frame_name().unwrap_or(0));
        let mut named = 0_u128;
        while let Some((location, value)) = reader.next_value() {
            let (hash, form) = weigh_value(value);
            named |= 1 << location;
            self.frames[self.current].set(location, hash, form, origin);
        }
        let mut gone = self.frames[self.current].known & !named;
        while gone != 0 {
            self.frames[self.current].forget(gone.trailing_zeros() as usize);
            gone &= gone - 1;
        }
    }

    /// A call leaves nothing in R1 to R5.
    pub fn forget_arguments(&mut self) {
        for register in 1..=5 {
            self.frames[self.current].forget(register);
        }
    }

    pub fn save_origins(&self) -> SavedOrigins {
        let known = self.current_frame().known_values();
        SavedOrigins {
            frame: self.current,
            values: known
                .map(|(location, value)| (location, value.hash, value.origin))
                .collect(),
        }
    }

    /// Values that are the same as when the path forked come from where they came from then.
    pub fn restore_origins(&mut self, saved: &SavedOrigins) {
        if saved.frame != self.current {
            return;
        }
        let frame = &mut self.frames[self.current];
        for &(location, hash, origin) in &saved.values {
            let value = &mut frame.values[usize::from(location)];
            if value.hash == hash {
                value.origin = origin;
            }
        }
    }

    fn enter_frame(&mut self, frame: usize) {
        self.current = frame.min(MOST_FRAMES - 1);
        while self.frames.len() <= self.current {
            self.frames.push(WalkedFrame::default());
        }
    }
}

/// Goes over the names and values of a state's text.
struct StateReader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> StateReader<'a> {
    /// `frame1: R0=...`
    fn frame_name(&mut self) -> Option<usize> {
        self.skip_spaces();
        let digits = self.text.get(self.at..)?.strip_prefix(b"frame")?;
        let digit = digits.first().filter(|digit| digit.is_ascii_digit())?;
        self.at += 6;
        Some(usize::from(digit - b'0'))
    }

    fn skip_spaces(&mut self) {
        while self.text.get(self.at) == Some(&b' ') {
            self.at += 1;
        }
    }

    fn next_value(&mut self) -> Option<(usize, &'a [u8])> {
        loop {
            self.skip_spaces();
            let start = self.at;
            if start >= self.text.len() {
                return None;
            }
            let equals = self.find_name_end();
            let end = self.find_value_end();
            if let Some(equals) = equals
                && let Some(location) = read_location(&self.text[start..equals])
            {
                return Some((location, &self.text[equals + 1..end]));
            }
        }
    }

    /// Where the `=` of a word is.
    fn find_name_end(&mut self) -> Option<usize> {
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'=' => return Some(self.at),
                b' ' | b'(' => return None,
                _ => self.at += 1,
            }
        }
        None
    }

    /// The space after a word; those in parentheses do not count.
    fn find_value_end(&mut self) -> usize {
        let mut depth = 0_usize;
        while let Some(&byte) = self.text.get(self.at) {
            match byte {
                b'(' => depth += 1,
                b')' => depth = depth.saturating_sub(1),
                b' ' if depth == 0 => break,
                _ => {}
            }
            self.at += 1;
        }
        self.at
    }
}

/// `R3`, `R3_rw`, `fp-16_w`
fn read_location(name: &[u8]) -> Option<usize> {
    let number = |digits: &[u8]| {
        let (number, rest) = crate::cost::cost_line::leading_number(digits)?;
        (rest.is_empty() || rest[0] == b'_').then_some(number as usize)
    };
    if let Some(digits) = name.strip_prefix(b"R") {
        return number(digits).filter(|&register| register < FIRST_SLOT);
    }
    let offset = number(name.strip_prefix(b"fp-")?)?;
    ((8..=512).contains(&offset)).then(|| FIRST_SLOT + offset.div_ceil(8) - 1)
}

/// A value as hash and form: without the mark that it must be exact, and without its id.
fn weigh_value(text: &[u8]) -> (u64, ValueForm) {
    let text = match text {
        [b'P', rest @ ..] if !rest.is_empty() => rest,
        _ => text,
    };
    let (text, is_old_scalar) = match text.strip_prefix(b"inv") {
        Some(rest) => (rest.strip_prefix(b"P").unwrap_or(rest), true),
        None => (text, false),
    };
    let is_scalar = is_old_scalar || text.starts_with(b"scalar");
    let form = match (signed_number(text), is_scalar) {
        (Some(number), _) => ValueForm::Number(number),
        (None, true) => ValueForm::Scalar,
        (None, false) => ValueForm::Pointer,
    };
    let Some(open) = memchr::memchr(b'(', text) else {
        return (hash_bytes(text, 0), form);
    };
    let (kind, details) = text.split_at(open + 1);
    (hash_bytes(without_id(details), hash_bytes(kind, 0)), form)
}

/// `id=7,off=0)` as `off=0)`.
fn without_id(details: &[u8]) -> &[u8] {
    let Some(rest) = details.strip_prefix(b"id=") else {
        return details;
    };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    rest[digits..].strip_prefix(b",").unwrap_or(&rest[digits..])
}

fn signed_number(text: &[u8]) -> Option<i64> {
    let is_number = matches!(text.first(), Some(b'-' | b'0'..=b'9'));
    let text = str::from_utf8(text).ok().filter(|_| is_number)?;
    match text.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok().map(u64::cast_signed),
        None => text.parse().ok(),
    }
}

fn hash_bytes(bytes: &[u8], seed: u64) -> u64 {
    const FACTOR: u64 = 0x517c_c1b7_2722_0a95;
    let mut hash = seed ^ (bytes.len() as u64).wrapping_mul(FACTOR);
    let (words, rest) = bytes.as_chunks::<8>();
    for word in words {
        hash = (hash.rotate_left(5) ^ u64::from_le_bytes(*word)).wrapping_mul(FACTOR);
    }
    let mut last = [0; 8];
    last[..rest.len()].copy_from_slice(rest);
    (hash.rotate_left(5) ^ u64::from_le_bytes(last)).wrapping_mul(FACTOR)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(text: &str) -> WalkedState {
        let mut state = WalkedState::default();
        state.replace_by(text.as_bytes(), 0);
        state
    }

    #[test]
    fn the_same_values_have_the_same_hash() {
        let same = [
            (
                "R1=scalar(id=1,umax=5) R2=P8",
                "R2=8 R1=Pscalar(id=77,umax=5)",
            ),
            (
                "R1=inv(id=0) fp-8=mmmm????",
                "R1_rw=invP(id=3) fp-8_w=mmmm????",
            ),
            ("R1=map_value(id=0,off=8)", "R1_w=map_value(id=9,off=8)"),
        ];
        for (one, other) in same {
            assert_eq!(state(one).state_hash(), state(other).state_hash(), "{one}");
        }
        for (one, other) in [("R1=1", "R1=2"), ("R1=1", "R2=1"), ("R1=1", "R1=1 R2=1")] {
            assert_ne!(state(one).state_hash(), state(other).state_hash(), "{one}");
        }
    }

    #[test]
    fn changes_lead_to_the_same_state_as_the_whole() {
        let mut changed = state("R1=1 R2=2 R3=3");
        changed.update_from(b"R2=5 R3=3", 9);
        assert_eq!(changed.state_hash(), state("R1=1 R2=5 R3=3").state_hash());
        let values: Vec<_> = changed.current_frame().known_values().collect();
        let origins: Vec<u32> = values.iter().map(|(_, value)| value.origin).collect();
        assert_eq!(origins, [0, 9, 0]);
        changed.replace_by(b"R1=1", 10);
        assert_eq!(changed.state_hash(), state("R1=1").state_hash());
    }

    #[test]
    fn functions_have_their_own_registers() {
        let mut called = state("R1=1 R10=fp0");
        let before = called.state_hash();
        called.replace_by(b"frame1: R1=7 cb", 3);
        assert_eq!(called.frame_number(), 1);
        called.update_from(b"R1=1", 4);
        assert_eq!((called.frame_number(), called.state_hash()), (0, before));
    }

    #[test]
    fn odd_texts_end() {
        for text in [
            "R1=(((",
            "=",
            "R99=1",
            "fp-9999=1",
            "frame9: R1=1",
            "R1",
            "a b ( c",
        ] {
            state(text);
        }
    }
}
