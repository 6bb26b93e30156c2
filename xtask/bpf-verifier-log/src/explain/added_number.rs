//! The number that was added to a pointer: where, what it was, and where it comes from.

use alloc::format;
use alloc::vec::Vec;

use crate::explain::scene::Scene;
use crate::log::insn::{FRAME_POINTER, InsnAction, Operand, Register};
use crate::log::knowledge::reconstruct_operands;
use crate::log::state::{FrameState, TrackedValue};
use crate::log::trail::{Hop, find_origin, find_trail};

/// An instruction that gave a pointer a part which is not constant.
pub struct AddedNumber {
    step: usize,
    register: Register,
    /// What the number was there, if the log shows it.
    value: Option<TrackedValue>,
    is_subtracted: bool,
}

impl AddedNumber {
    /// The greatest number that it can be.
    pub fn greatest(&self) -> Option<u64> {
        let value = self.value.as_ref()?;
        (!value.is_partial && !self.is_subtracted).then_some(value.bounds.umax)
    }
}

/// What is known of the numbers that were added to a pointer.
pub enum AddedNumbers {
    /// The log does not tell.
    Unknown,
    Known(NumberList),
}

/// The numbers that were added to a pointer, the last one first.
pub struct NumberList {
    pub list: Vec<AddedNumber>,
    /// There may be others, at steps that the log does not show.
    has_others: bool,
}

impl NumberList {
    pub fn are_several(&self) -> bool {
        self.list.len() > 1
    }

    /// The greatest number that all of them can be together. `pointer`: what they were added to.
    pub fn greatest_sum(&self, pointer: Option<&TrackedValue>) -> Option<u64> {
        if self.has_others {
            return None;
        }
        if let [AddedNumber { value: Some(_), .. }] = self.list.as_slice() {
            return self.list[0].greatest();
        }
        // From Linux 7.2 on, the limits of a pointer have its constants in them.
        let is_plain = |value: &&TrackedValue| !value.is_partial && value.bounds.umin == 0;
        pointer.filter(is_plain).map(|value| value.bounds.umax)
    }
}

/// Constants are passed over: they give a pointer no variable part.
pub fn find_added_numbers(scene: &Scene<'_>, pointer: Register) -> AddedNumbers {
    let mut numbers = Vec::new();
    let mut has_unknown = false;
    // Where the pointer was still without a variable part, nothing was added before.
    let mut is_whole = false;
    let trail = scene.without_repeats(find_trail(scene.steps, scene.at, pointer));
    for hop in &trail {
        let InsnAction::Change { operator, by, .. } = scene.steps[hop.step].insn.insn_action()
        else {
            continue;
        };
        let Some(Operand::Register(by)) = *by else {
            continue;
        };
        let state = reconstruct_operands(scene.steps, hop.step);
        // Either side of `r1 += r2` can be the number.
        let Some(register) = find_number(&state, [by, hop.register]) else {
            return AddedNumbers::Unknown;
        };
        if is_constant(scene, hop.step, register, &state) {
            continue;
        }
        let other = if register == by { hop.register } else { by };
        is_whole = state.register_value(other).is_some_and(is_plain_pointer);
        let value = state.register_value(register).cloned();
        has_unknown |= value.is_none();
        numbers.push(AddedNumber {
            step: hop.step,
            register,
            value,
            is_subtracted: operator == "-=",
        });
    }
    // One of several may be a constant, and the one that counts another.
    if has_unknown && numbers.len() > 1 {
        return AddedNumbers::Unknown;
    }
    let last = trail
        .last()
        .map(|hop| scene.steps[hop.step].insn.insn_action());
    AddedNumbers::Known(NumberList {
        list: numbers,
        has_others: !is_whole && !last.is_some_and(makes_pointer),
    })
}

fn is_plain_pointer(value: &TrackedValue) -> bool {
    !value.is_partial && !value.is_number() && value.bounds.as_constant().is_some()
}

/// Whether an instruction makes a pointer that has no variable part.
fn makes_pointer(action: &InsnAction) -> bool {
    match action {
        InsnAction::Load { place, .. } => place.base != FRAME_POINTER,
        InsnAction::Move { from, .. } => *from == Operand::Register(FRAME_POINTER),
        InsnAction::Helper { .. } | InsnAction::Function | InsnAction::Set { .. } => true,
        _ => false,
    }
}

/// The one of these registers that holds a number, or of which nothing is known while the other is
/// a pointer.
pub fn find_number(state: &FrameState, registers: [Register; 2]) -> Option<Register> {
    let is_number = |register| state.register_value(register).map(TrackedValue::is_number);
    let [by, to] = registers;
    match (is_number(by), is_number(to)) {
        (Some(true), _) | (None, Some(false)) => Some(by),
        (_, Some(true)) | (Some(false), None) => Some(to),
        // By far the most sums have the number on the right.
        (None, None) => Some(by),
        (Some(false), Some(false)) => None,
    }
}

fn is_constant(scene: &Scene<'_>, step: usize, register: Register, state: &FrameState) -> bool {
    if let Some(value) = state.register_value(register) {
        return value.bounds.as_constant().is_some();
    }
    let trail = find_trail(scene.steps, step, register);
    let action = |hop: &Hop| scene.steps[hop.step].insn.insn_action();
    // What was computed from constants is a constant, as long as no register comes in.
    if trail.iter().any(|hop| action(hop).changes_by().is_some()) {
        return false;
    }
    let is_number = |hop: &Hop| {
        matches!(
            action(hop),
            InsnAction::Move {
                from: Operand::Number(_),
                ..
            }
        )
    };
    trail.last().is_some_and(is_number)
}

/// Says which instruction added the number.
pub fn tell_added_numbers(scene: &mut Scene<'_>, numbers: &NumberList) {
    /// More make no one wiser.
    const MOST: usize = 2;
    let is_only = numbers.list.len() == 1 && !numbers.has_others;
    for number in numbers.list.iter().take(MOST) {
        let step = scene.name_step(number.step);
        let verb = if number.is_subtracted {
            "subtracted"
        } else {
            "added"
        };
        let which = if is_only { "The" } else { "A" };
        scene.tell_known(format!("{which} number was {verb} by {step}."));
        tell_number(scene, number);
    }
}

fn tell_number(scene: &mut Scene<'_>, number: &AddedNumber) {
    let register = number.register;
    let state = reconstruct_operands(scene.steps, number.step);
    if let Some(words) = scene.name_value(number.step, register, &state) {
        scene.tell_known(format!("There, R{register} was {words}."));
    }
    // Of a sum, neither part alone is where it comes from.
    let trail = find_trail(scene.steps, number.step, register);
    let is_sum = |hop: &&Hop| {
        let action = scene.steps[hop.step].insn.insn_action();
        action.changes_by().is_some()
    };
    let origin = match trail.iter().find(is_sum) {
        Some(sum) => Some(*sum),
        None => find_origin(scene.steps, number.step, register),
    };
    if let Some(hop) = origin {
        scene.tell_origin(register, hop);
    }
}
