//! What the verifier knew at a step: what the log shows, and what follows from the instructions.
//!
//! What may have changed without a word in the log is forgotten, so that all that is left is true.

use alloc::vec;
use alloc::vec::Vec;

use crate::log::insn::{FRAME_POINTER, Insn, InsnAction, MemoryPlace, Operand, Register};
use crate::log::path::{StepKind, find_previous_step, find_step_kind};
use crate::log::state::{FrameState, TrackedValue};
use crate::log::step::LogStep;

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
    for pair in path.windows(2).rev() {
        let &[next, step] = pair else { continue };
        pass_step(&mut state, &steps[step], &steps[next]);
    }
    state
}

/// The same, with what newer kernels print of the registers that the instruction only reads: that
/// is fresher than what they printed of them before.
pub fn reconstruct_operands(steps: &[LogStep], index: usize) -> FrameState {
    let mut state = reconstruct_state(steps, index);
    let step = &steps[index];
    let Some(after) = &step.after else {
        return state;
    };
    for (register, value) in &after.registers {
        let is_read = step.insn.insn_action().set_register() != Some(*register);
        if is_read && !step.insn.clears_arguments() && after.frame == state.frame {
            state.set_register(*register, Some(value.clone()));
        }
    }
    state
}

/// What the verifier knows when it goes on from a step to the next one of its path.
pub fn pass_step(state: &mut FrameState, step: &LogStep, next: &LogStep) {
    apply_step(state, step);
    // Another function has other registers and another stack, which the log shows.
    if find_step_kind(step, next) != StepKind::Stays {
        *state = FrameState::default();
    }
}

/// What the verifier knows after a step, as far as the instruction and the log tell.
pub fn apply_step(state: &mut FrameState, step: &LogStep) {
    apply_insn(state, step);
    let Some(after) = &step.after else { return };
    if after.frame == state.frame || state.is_empty() {
        state.frame = after.frame;
        state.update_from(after);
    } else {
        *state = after.clone();
    }
}

fn apply_insn(state: &mut FrameState, step: &LogStep) {
    let insn = &step.insn;
    if insn.clears_arguments() {
        return forget_by_call(state, step);
    }
    match insn.insn_action() {
        InsnAction::Move { to, from } => {
            let value = operand_value(state, *from, step.line);
            state.set_register(*to, value.and_then(|value| as_moved(value, insn)));
        }
        InsnAction::Load { to, place } => {
            let value = read_slot(state, *place);
            state.set_register(*to, value);
        }
        InsnAction::Store { place, from } => {
            let value = operand_value(state, *from, step.line);
            write_memory(state, *place, value, step);
        }
        InsnAction::Atomic { place, to } => {
            write_memory(state, *place, None, step);
            if let Some(to) = to {
                state.set_register(*to, None);
            }
        }
        InsnAction::Change { to, operator, by } => {
            let value = add_to_stack_pointer(state, *to, operator, *by, step.line);
            state.set_register(*to, value);
        }
        InsnAction::Compare { left, right, .. } => forget_by_comparison(state, *left, *right),
        InsnAction::Other => *state = FrameState::default(),
        InsnAction::Goto | InsnAction::Exit => {}
        InsnAction::Helper { .. }
        | InsnAction::Function
        | InsnAction::Convert { .. }
        | InsnAction::Set { .. } => {
            if let Some(register) = insn.insn_action().set_register() {
                state.set_register(register, None);
            }
        }
    }
}

fn operand_value(state: &FrameState, operand: Operand, line: usize) -> Option<TrackedValue> {
    match operand {
        Operand::Register(FRAME_POINTER) => Some(TrackedValue {
            line,
            ..TrackedValue::from_stack_offset(0)
        }),
        Operand::Register(register) => state.register_value(register).cloned(),
        Operand::Number(number) => Some(TrackedValue {
            line,
            ..TrackedValue::from_number(number)
        }),
    }
}

/// `w1 = w2` takes over the lower half only.
fn as_moved(value: TrackedValue, insn: &Insn) -> Option<TrackedValue> {
    const HALF: u64 = 0xffff_ffff;
    if !insn.is_half() || (value.is_number() && value.bounds.umax <= HALF) {
        return Some(value);
    }
    let number = value.is_number().then(|| value.bounds.as_constant())??;
    Some(TrackedValue {
        line: value.line,
        ..TrackedValue::from_number((number.cast_unsigned() & HALF).cast_signed())
    })
}

/// A register that was saved on the stack comes back if all of it is read.
fn read_slot(state: &FrameState, place: MemoryPlace) -> Option<TrackedValue> {
    let value = state.slot_value(place.offset)?;
    let is_bytes = value.is_mixed() || is_letters(&value.kind);
    let is_whole = place.base == FRAME_POINTER && place.bytes == 8;
    (is_whole && !is_bytes).then(|| value.clone())
}

/// `mmmm????`: what kinds of bytes there are.
fn is_letters(kind: &str) -> bool {
    kind.len() == 8 && kind.bytes().all(|byte| b"m0?dif".contains(&byte))
}

/// `value`: what is written, where that is known.
fn write_memory(
    state: &mut FrameState,
    place: MemoryPlace,
    value: Option<TrackedValue>,
    step: &LogStep,
) {
    if place.base == FRAME_POINTER {
        state.clear_bytes(place.offset.into(), place.bytes.into());
        if place.bytes == 8 && place.offset % 8 == 0 {
            state.set_slot(place.offset, value);
        }
    } else if step.after.is_none() {
        // Kernels that print what a step changed show it.
        match stack_offset(state, place.base) {
            StackOffset::Known(offset) => {
                let offset = offset.saturating_add(place.offset.into());
                state.clear_bytes(offset, place.bytes.into());
            }
            StackOffset::Unknown => state.slots.clear(),
            StackOffset::Elsewhere => {}
        }
    }
}

/// Where a register points to on the stack of its function.
pub enum StackOffset {
    Known(i64),
    Unknown,
    /// It points to other memory, or is a number.
    Elsewhere,
}

pub fn stack_offset(state: &FrameState, register: Register) -> StackOffset {
    let Some(value) = state.register_value(register) else {
        return StackOffset::Unknown;
    };
    match (value.kind.starts_with("fp"), value.bounds.as_constant()) {
        (false, _) => StackOffset::Elsewhere,
        (true, Some(more)) if value.kind == "fp" => {
            StackOffset::Known(value.offset.saturating_add(more))
        }
        (true, _) => StackOffset::Unknown,
    }
}

/// `r1 += -8`, where R1 points to the stack: what Linux up to 5.15 does not print.
fn add_to_stack_pointer(
    state: &FrameState,
    to: Register,
    operator: &str,
    by: Option<Operand>,
    line: usize,
) -> Option<TrackedValue> {
    let value = state
        .register_value(to)
        .filter(|value| value.kind == "fp")?;
    let (Some(Operand::Number(number)), "+=", Some(0)) = (by, operator, value.bounds.as_constant())
    else {
        return None;
    };
    let offset = value.offset.checked_add(number)?;
    Some(TrackedValue {
        line,
        ..TrackedValue::from_stack_offset(offset)
    })
}

/// A call takes R1 to R5, and may take what was known of other values.
fn forget_by_call(state: &mut FrameState, step: &LogStep) {
    let name = match step.insn.insn_action() {
        InsnAction::Helper { name } => name.as_str(),
        _ => "",
    };
    let mut released = Vec::new();
    for register in 1..=5 {
        let value = state.register_value(register);
        released.extend(value.and_then(|value| value.reference));
    }
    let moves_packet = may_move_packet(name);
    let unlocks = name.contains("unlock");
    state.retain_values(|value| {
        let is_released = value.reference.is_some_and(|id| released.contains(&id));
        let is_moved = moves_packet && value.kind.starts_with("pkt");
        let is_unlocked = unlocks && value.kind.contains("ptr_");
        !(is_released || is_moved || is_unlocked)
    });
    for register in 0..=5 {
        state.set_register(register, None);
    }
    // Newer kernels print what a helper wrote.
    if step.after.is_none() {
        state.slots.clear();
    }
}

/// Whether a helper, or a function of the program (without a name), may move the packet's data.
fn may_move_packet(name: &str) -> bool {
    const HARMLESS: [&str; 8] = [
        "bpf_map_",
        "bpf_ktime_",
        "bpf_get_",
        "bpf_trace_",
        "bpf_ringbuf_",
        "bpf_perf_",
        "bpf_fib_",
        "bpf_csum_diff",
    ];
    !HARMLESS.iter().any(|start| name.starts_with(start))
}

/// A comparison teaches the verifier something of all copies of what was compared: their old bounds
/// are no longer what it knows.
fn forget_by_comparison(state: &mut FrameState, left: Register, right: Option<Operand>) {
    let mut compared = vec![state.register_value(left)];
    if let Some(Operand::Register(register)) = right {
        compared.push(state.register_value(register));
    }
    let is_unknown = compared.contains(&None);
    let mut ids = Vec::new();
    let mut is_packet = is_unknown;
    for value in compared.into_iter().flatten() {
        ids.extend(value.id);
        is_packet |= value.kind.starts_with("pkt");
    }
    state.retain_values(|value| {
        let is_linked = value.id.is_some_and(|id| is_unknown || ids.contains(&id));
        let is_unproved = is_packet && value.is_in_packet();
        let is_settled = value.bounds.as_constant().is_some() && value.is_number();
        let may_be_null = value.may_be_null() && (value.id.is_none() || is_linked);
        is_settled || !(is_linked && value.is_number() || is_unproved || may_be_null)
    });
    let mut operands = vec![left];
    if let Some(Operand::Register(register)) = right {
        operands.push(register);
    }
    for register in operands {
        let is_bounded =
            |value: &TrackedValue| value.is_number() && value.bounds.as_constant().is_none();
        if state.register_value(register).is_some_and(is_bounded) {
            state.set_register(register, None);
        }
    }
}
