//! Where a value comes from: back through copies, the stack and calls, to the instruction that made
//! it.

use alloc::vec::Vec;

use crate::log::insn::{FRAME_POINTER, InsnAction, Operand, Register};
use crate::log::state::Location;
use crate::log::step::{LogStep, find_previous_step};

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
const MOST_HOPS: usize = 12;

/// The instructions that brought a register its value, the nearest first. The last one is where the
/// value was made, or where the log begins to be silent.
pub fn find_trail(steps: &[LogStep], index: usize, register: Register) -> Vec<Hop> {
    let mut walk = TrailWalk {
        steps,
        at: index,
        location: Location::Register(register),
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

/// The instruction that made the value.
pub fn find_origin(steps: &[LogStep], index: usize, register: Register) -> Option<Hop> {
    find_trail(steps, index, register).last().copied()
}

struct TrailWalk<'a> {
    steps: &'a [LogStep],
    at: usize,
    location: Location,
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
        self.at = before;
        let action = self.steps[before].insn.insn_action();
        match action {
            InsnAction::Exit if self.location == Location::Register(0) && self.depth == 0 => true,
            InsnAction::Exit => {
                self.depth += 1;
                true
            }
            InsnAction::Function if self.depth > 0 => {
                self.depth -= 1;
                self.depth > 0 || self.survives_call()
            }
            // Into the caller: what it passed is in the same registers.
            InsnAction::Function => matches!(self.location, Location::Register(0..=5)),
            _ if self.depth > 0 => true,
            InsnAction::Helper { .. } => self.pass_helper(),
            _ => self.follow_insn(action),
        }
    }

    fn survives_call(&self) -> bool {
        !matches!(self.location, Location::Register(0..=5))
    }

    fn pass_helper(&mut self) -> bool {
        if self.location == Location::Register(0) {
            self.add_hop(0);
        }
        self.survives_call()
    }

    /// Follows a value through an instruction within a function.
    fn follow_insn(&mut self, action: &InsnAction) -> bool {
        match (self.location, action) {
            (Location::Register(own), InsnAction::Move { to, from }) if *to == own => {
                self.add_hop(own);
                self.follow_operand(*from)
            }
            (Location::Register(own), InsnAction::Load { to, place }) if *to == own => {
                self.add_hop(own);
                self.location = Location::Slot(place.offset);
                place.base == FRAME_POINTER
            }
            (Location::Register(own), InsnAction::Change { to, .. }) if *to == own => {
                self.add_hop(own);
                true
            }
            (Location::Register(own), InsnAction::Set { to }) if *to == own => {
                self.add_hop(own);
                false
            }
            (Location::Slot(slot), InsnAction::Store { place, from })
                if place.base == FRAME_POINTER && place.offset == slot =>
            {
                self.follow_operand(*from)
            }
            _ => true,
        }
    }

    fn follow_operand(&mut self, from: Operand) -> bool {
        let Operand::Register(register) = from else {
            return false;
        };
        self.location = Location::Register(register);
        true
    }

    fn add_hop(&mut self, register: Register) {
        self.hops.push(Hop {
            step: self.at,
            register,
        });
    }
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
}
