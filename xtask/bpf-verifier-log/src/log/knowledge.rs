//! What the verifier knew at a step: what the log shows, and what follows from the instructions.

use alloc::vec;

use crate::log::insn::{FRAME_POINTER, InsnAction, Operand};
use crate::log::state::{FrameState, TrackedValue};
use crate::log::step::{LogStep, find_previous_step};

/// What the verifier knew before a step: what it printed last, and what follows from the
/// instructions since.
pub fn reconstruct_state(steps: &[LogStep], index: usize) -> FrameState {
    /// Old kernels print little; further back, nothing of it is true any more.
    const FARTHEST: usize = 400;
    let mut path = vec![index];
    while let Some(&first) = path.last()
        && steps[first].before.is_none()
        && path.len() < FARTHEST
        && let Some(before) = find_previous_step(steps, first)
    {
        path.push(before);
    }
    let first = path.last().map_or(index, |&first| first);
    let mut state = steps[first].before.clone().unwrap_or_default();
    for &step in path.iter().skip(1).rev() {
        apply_step(&mut state, &steps[step]);
    }
    state
}

/// What the verifier knows after a step, as far as the instruction and the log tell.
pub fn apply_step(state: &mut FrameState, step: &LogStep) {
    match step.insn.insn_action() {
        InsnAction::Helper { .. } | InsnAction::Function => {
            for register in 0..=5 {
                state.set_register(register, None);
            }
        }
        InsnAction::Move { to, from } => {
            let value = operand_value(state, *from);
            state.set_register(*to, value);
        }
        InsnAction::Load { to, place } => {
            let is_slot = place.base == FRAME_POINTER && place.bytes == 8;
            let value = state.slot_value(place.offset).filter(|_| is_slot).cloned();
            state.set_register(*to, value);
        }
        InsnAction::Store { place, from } if place.base == FRAME_POINTER => {
            let value = operand_value(state, *from).filter(|_| place.bytes == 8);
            state.set_slot(place.offset, value);
        }
        action => {
            if let Some(register) = action.set_register() {
                state.set_register(register, None);
            }
        }
    }
    if let Some(after) = &step.after {
        state.update_from(after);
    }
}

fn operand_value(state: &FrameState, operand: Operand) -> Option<TrackedValue> {
    match operand {
        Operand::Register(register) => state.register_value(register).cloned(),
        Operand::Number(number) => Some(TrackedValue::from_number(number)),
    }
}
