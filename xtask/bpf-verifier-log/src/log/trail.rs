//! Where a value comes from: back through copies, the stack and calls, to the instruction that made
//! it.

use alloc::vec::Vec;

use crate::log::insn::{FRAME_POINTER, InsnAction, MemoryPlace, Operand, Register};
use crate::log::knowledge::{StackOffset, reconstruct_operands, reconstruct_state, stack_offset};
use crate::log::path::{StepKind, find_call, find_previous_step, find_step_kind};
use crate::log::step::LogStep;

/// An instruction that a value came through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Hop {
    /// Index of the step.
    pub step: usize,
    /// The register that it sets.
    pub register: Register,
}

/// Enough for any program that a person can follow.
const MOST_STEPS_BACK: usize = 20_000;
const MOST_HOPS: usize = 64;

/// The instructions that brought a register its value, the nearest first. The last one is where the
/// value was made, or where the log begins to be silent.
pub fn find_trail(steps: &[LogStep], index: usize, register: Register) -> Vec<Hop> {
    let mut walk = TrailWalk {
        steps,
        at: index,
        place: ValuePlace::Register(register),
        depth: 0,
        hops: Vec::new(),
    };
    for _ in 0..MOST_STEPS_BACK {
        if walk.hops.len() == MOST_HOPS || !walk.step_back() {
            break;
        }
    }
    walk.hops
}

/// The instruction that made the value, as far as the log shows it.
pub fn find_origin(steps: &[LogStep], index: usize, register: Register) -> Option<Hop> {
    let hops = find_trail(steps, index, register);
    hops.last().copied().filter(|_| hops.len() < MOST_HOPS)
}

/// Where the value is that is followed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum ValuePlace {
    Register(Register),
    /// Bytes of the stack.
    Stack {
        offset: i64,
        bytes: i64,
    },
}

/// What an instruction that writes memory has to do with bytes of the stack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum StackWrite {
    /// It writes just these bytes.
    Exact,
    /// It writes some of them, or may do so.
    Possible,
    /// It writes elsewhere.
    Other,
}

struct TrailWalk<'a> {
    steps: &'a [LogStep],
    at: usize,
    place: ValuePlace,
    /// Above 0: within a function that was called and returned; its registers are not ours.
    depth: usize,
    hops: Vec<Hop>,
}

impl TrailWalk<'_> {
    /// Goes one step back; false where the way ends.
    fn step_back(&mut self) -> bool {
        let Some(before) = find_previous_step(self.steps, self.at) else {
            return false;
        };
        let next = &self.steps[self.at];
        self.at = before;
        let step = &self.steps[before];
        match find_step_kind(step, next) {
            StepKind::Returns => self.enter_function(next.insn.pc),
            StepKind::Enters | StepKind::CallsBack if self.depth > 0 => {
                self.depth -= 1;
                self.depth > 0 || self.pass_call()
            }
            // Into the caller: what it passed is in the same registers.
            StepKind::Enters => matches!(self.place, ValuePlace::Register(1..=5)),
            StepKind::CallsBack => false,
            StepKind::Stays if self.depth > 0 => true,
            StepKind::Stays => self.follow_insn(step.insn.insn_action()),
        }
    }

    /// Back over the end of a function: what it returned was in its R0.
    fn enter_function(&mut self, returned_to: u32) -> bool {
        let is_result = self.place == ValuePlace::Register(0) && self.depth == 0;
        let call = find_call(self.steps, self.at, returned_to);
        let is_function = call.is_some_and(|call| {
            matches!(self.steps[call].insn.insn_action(), InsnAction::Function)
        });
        if !(is_result && is_function) {
            self.depth += 1;
        }
        true
    }

    /// Over a call whose function was not gone through, or whose steps are passed.
    fn pass_call(&mut self) -> bool {
        match self.place {
            ValuePlace::Register(0) => {
                self.add_hop(0);
                false
            }
            ValuePlace::Register(register) => register > 5,
            ValuePlace::Stack { offset, bytes } => {
                !(1..=5).any(|register| self.may_lead_to(register, offset.saturating_add(bytes)))
            }
        }
    }

    /// Whether a called function may write below `end` on the stack, through an argument.
    fn may_lead_to(&self, register: Register, end: i64) -> bool {
        let state = reconstruct_state(self.steps, self.at);
        match stack_offset(&state, register) {
            StackOffset::Known(offset) => offset < end,
            StackOffset::Elsewhere => false,
            StackOffset::Unknown => may_be_set(self.steps, self.at, register),
        }
    }

    /// Follows a value through an instruction within a function.
    fn follow_insn(&mut self, action: &InsnAction) -> bool {
        match self.place {
            _ if matches!(action, InsnAction::Other) => false,
            ValuePlace::Register(own) => self.follow_register(own, action),
            ValuePlace::Stack { offset, bytes } => self.follow_bytes(offset, bytes, action),
        }
    }

    fn follow_register(&mut self, own: Register, action: &InsnAction) -> bool {
        if matches!(own, 0..=5) && self.steps[self.at].insn.clears_arguments() {
            return self.pass_call();
        }
        if action.set_register() != Some(own) {
            return true;
        }
        self.add_hop(own);
        match action {
            InsnAction::Move { from, .. } => self.follow_operand(*from),
            InsnAction::Convert { from, .. } => self.follow_operand(Operand::Register(*from)),
            InsnAction::Change { by, .. } => self.follow_sum(own, *by),
            InsnAction::Load { place, .. } if place.base == FRAME_POINTER => {
                self.place = ValuePlace::Stack {
                    offset: place.offset.into(),
                    bytes: place.bytes.into(),
                };
                true
            }
            _ => false,
        }
    }

    /// Either side of `r1 += r2` can be the pointer, which is what is followed.
    fn follow_sum(&mut self, own: Register, by: Option<Operand>) -> bool {
        let Some(Operand::Register(by)) = by else {
            return true;
        };
        let state = reconstruct_operands(self.steps, self.at);
        let is_number = |register| {
            state
                .register_value(register)
                .map(|value| value.is_number())
        };
        if is_number(own) == Some(true) && is_number(by) == Some(false) {
            self.place = ValuePlace::Register(by);
        }
        true
    }

    fn follow_bytes(&mut self, offset: i64, bytes: i64, action: &InsnAction) -> bool {
        match action {
            InsnAction::Helper { .. } | InsnAction::Function => self.pass_call(),
            InsnAction::Store { place, from } => match self.classify_write(*place, offset, bytes) {
                StackWrite::Exact => self.follow_operand(*from),
                StackWrite::Possible => false,
                StackWrite::Other => true,
            },
            InsnAction::Atomic { place, .. } => {
                self.classify_write(*place, offset, bytes) == StackWrite::Other
            }
            _ => true,
        }
    }

    fn classify_write(&self, place: MemoryPlace, offset: i64, bytes: i64) -> StackWrite {
        let base = if place.base == FRAME_POINTER {
            0
        } else {
            let state = reconstruct_state(self.steps, self.at);
            match stack_offset(&state, place.base) {
                StackOffset::Known(base) => base,
                StackOffset::Unknown => return StackWrite::Possible,
                StackOffset::Elsewhere => return StackWrite::Other,
            }
        };
        let (start, length) = (base.saturating_add(place.offset.into()), place.bytes.into());
        if (start, length) == (offset, bytes) {
            StackWrite::Exact
        } else if start.saturating_add(length) <= offset || offset.saturating_add(bytes) <= start {
            StackWrite::Other
        } else {
            StackWrite::Possible
        }
    }

    fn follow_operand(&mut self, from: Operand) -> bool {
        let Operand::Register(register) = from else {
            return false;
        };
        self.place = ValuePlace::Register(register);
        register != FRAME_POINTER
    }

    fn add_hop(&mut self, register: Register) {
        self.hops.push(Hop {
            step: self.at,
            register,
        });
    }
}

/// Whether an argument of a call may have a value that can be an address: something has set it
/// since the call before, and not to a constant.
fn may_be_set(steps: &[LogStep], call: usize, register: Register) -> bool {
    /// Arguments are set right before the call.
    const FARTHEST: usize = 64;
    let mut at = call;
    for _ in 0..FARTHEST {
        let Some(before) = find_previous_step(steps, at) else {
            return true;
        };
        let insn = &steps[before].insn;
        if insn.clears_arguments() {
            return false;
        }
        if insn.insn_action().set_register() == Some(register) {
            return !matches!(
                insn.insn_action(),
                InsnAction::Set { .. }
                    | InsnAction::Move {
                        from: Operand::Number(_),
                        ..
                    }
            );
        }
        at = before;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::explain_log;
    use alloc::format;

    fn pcs(log: &str, register: Register) -> Vec<u32> {
        let log = format!("{log}\nprocessed 9 insns (limit 1)");
        let program = explain_log(log.as_bytes()).programs.remove(0);
        let steps = program.read_steps(log.as_bytes()).steps;
        find_trail(&steps, steps.len() - 1, register)
            .iter()
            .map(|hop| steps[hop.step].insn.pc)
            .collect()
    }

    #[test]
    fn through_copies_and_the_stack() {
        let log = "0: (79) r1 = *(u64 *)(r6 +112)\n\
                   1: (7b) *(u64 *)(r10 -8) = r1\n\
                   2: (b7) r1 = 5\n\
                   3: (79) r2 = *(u64 *)(r10 -8)\n\
                   4: (bf) r3 = r2\n\
                   5: (07) r3 += 12\n\
                   6: (69) r0 = *(u16 *)(r3 +0)";
        assert_eq!(pcs(log, 3), [5, 4, 3, 0]);
    }

    #[test]
    fn to_the_call_that_returned_it() {
        let log = "0: (85) call bpf_map_lookup_elem#1\n\
                   1: (bf) r7 = r0\n\
                   2: (85) call bpf_x#2\n\
                   3: (61) r1 = *(u32 *)(r7 +0)";
        assert_eq!(pcs(log, 7), [1, 0]);
        assert_eq!(pcs(log, 1), [0; 0], "cleared by the call");
    }

    #[test]
    fn along_the_branch_that_was_taken() {
        let log = "0: (b7) r1 = 1\n1: (15) if r2 == 0x0 goto pc+2\n2: (b7) r1 = 2\n3: (95) exit\n\
                   from 1 to 4: R10=fp0\n4: (bf) r3 = r1\n5: (95) exit";
        assert_eq!(pcs(log, 3), [4, 0]);
    }

    #[test]
    fn into_functions_and_out_of_them() {
        let log = "0: (b7) r6 = 1\n\
                   1: (85) call pc+5\n\
                   7: (b7) r6 = 2\n\
                   8: (b7) r0 = 3\n\
                   9: (95) exit\n\
                   2: (bf) r1 = r6\n\
                   3: (0f) r1 += r0\n\
                   4: (95) exit";
        assert_eq!(pcs(log, 6), [0], "the callee has its own r6");
        assert_eq!(pcs(log, 0), [8]);
    }

    #[test]
    fn a_global_function_is_not_gone_through() {
        let log = "0: (b7) r1 = 1\n1: (85) call pc+5\n2: (bf) r3 = r0\n3: (95) exit";
        assert_eq!(pcs(log, 3), [2, 1]);
        assert_eq!(pcs(log, 1), [0; 0], "the call takes R1");
    }

    #[test]
    fn not_over_what_is_left_out() {
        let log = "0: (b7) r1 = 1\n4: (bf) r3 = r1\n5: (95) exit";
        assert_eq!(pcs(log, 3), [4]);
        let set_later = "0: (b7) r1 = 1\n1: (xx) whatever\n2: (bf) r3 = r1\n3: (95) exit";
        assert_eq!(pcs(set_later, 3), [2]);
    }

    #[test]
    fn the_last_round_of_a_loop() {
        let log = "0: (b7) r1 = 1\n1: (bf) r2 = r1\n2: (bf) r1 = r6\n3: (05) goto pc-3\n\
                   1: (bf) r2 = r1\n2: (bf) r1 = r6\n3: (95) exit";
        assert_eq!(pcs(log, 2), [1, 2]);
    }

    #[test]
    fn other_bytes_of_the_stack_are_not_the_value() {
        let log = |store: &str| {
            format!(
                "0: (79) r1 = *(u64 *)(r6 +112)\n\
                 1: (7b) *(u64 *)(r10 -8) = r1\n\
                 2: (63) {store}\n\
                 3: (79) r2 = *(u64 *)(r10 -8)\n\
                 4: (95) exit"
            )
        };
        assert_eq!(pcs(&log("*(u32 *)(r10 -4) = r3"), 2), [3]);
        assert_eq!(pcs(&log("*(u32 *)(r10 -12) = r3"), 2), [3, 0]);
        assert_eq!(pcs(&log("*(u64 *)(r7 +0) = r3"), 2), [3], "R7 may be there");
        assert_eq!(pcs(&log("lock *(u64 *)(r10 -8) += r3"), 2), [3]);
    }

    #[test]
    fn a_helper_may_write_what_it_is_given() {
        let log = "0: (7b) *(u64 *)(r10 -8) = r6\n\
                   1: (bf) r1 = r10\n\
                   2: (07) r1 += -8\n\
                   3: (85) call bpf_probe_read_kernel#113\n\
                   4: (79) r2 = *(u64 *)(r10 -8)\n\
                   5: (95) exit";
        assert_eq!(pcs(log, 2), [4]);
        let after_call = "0: (85) call bpf_x#1\n\
                          1: (7b) *(u64 *)(r10 -8) = r6\n\
                          2: (b7) r1 = 5\n\
                          3: (85) call bpf_x#1\n\
                          4: (79) r2 = *(u64 *)(r10 -8)\n\
                          5: (bf) r0 = r2";
        assert_eq!(pcs(after_call, 2), [4], "R6 is older than the log");
        let saved = after_call.replace("r10 -8) = r6", "r10 -8) = r0");
        assert_eq!(pcs(&saved, 2), [4, 0]);
    }

    #[test]
    fn the_pointer_of_a_sum_is_followed() {
        let log = "0: R1=ctx() R2=scalar() R6=map_value(ks=4,vs=8) R10=fp0\n\
                   0: (bf) r3 = r6 ; R3_w=map_value(ks=4,vs=8) R6=map_value(ks=4,vs=8)\n\
                   1: (b7) r4 = 5 ; R4_w=5\n\
                   2: (0f) r4 += r3 ; R3_w=map_value(ks=4,vs=8) R4_w=map_value(off=5,ks=4,vs=8)\n\
                   3: (95) exit";
        assert_eq!(pcs(log, 4), [2, 0]);
    }
}
