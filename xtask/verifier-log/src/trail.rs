//! Where a value comes from: back through copies, the stack and calls, to the instruction that made
//! it.

use crate::insn::{Action, Operand, Register};
use crate::steps::{Step, previous};

/// An instruction on the way of a value.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Hop {
    /// Index of the step.
    pub step: usize,
    /// The register that it sets.
    pub register: Register,
}

/// Enough for any program that a person can follow.
const MOST_STEPS: usize = 20_000;
const MOST_HOPS: usize = 12;

/// A register, or a slot of the stack.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Home {
    Register(Register),
    Slot(i64),
}

/// The instructions that brought a register its value, the nearest first. The last one is where the
/// value was made, or where the log begins to be silent.
pub fn trail(steps: &[Step], index: usize, register: Register) -> Vec<Hop> {
    let mut walk = Walk {
        steps,
        at: index,
        home: Home::Register(register),
        depth: 0,
        hops: Vec::new(),
    };
    for _ in 0..MOST_STEPS {
        if walk.hops.len() == MOST_HOPS || !walk.back() {
            break;
        }
    }
    walk.hops
}

/// The instruction that made the value.
pub fn origin(steps: &[Step], index: usize, register: Register) -> Option<Hop> {
    trail(steps, index, register).last().copied()
}

struct Walk<'a> {
    steps: &'a [Step],
    at: usize,
    home: Home,
    /// Above 0: within a function that was called and returned; its registers are not ours.
    depth: usize,
    hops: Vec<Hop>,
}

impl Walk<'_> {
    /// Goes one step back; false where the way ends.
    fn back(&mut self) -> bool {
        let Some(before) = previous(self.steps, self.at) else {
            return false;
        };
        self.at = before;
        let action = self.steps[before].insn.action();
        match action {
            Action::Exit if self.home == Home::Register(0) && self.depth == 0 => true,
            Action::Exit => {
                self.depth += 1;
                true
            }
            Action::Function if self.depth > 0 => {
                self.depth -= 1;
                self.depth > 0 || self.survives_call()
            }
            // Into the caller: what it passed is in the same registers.
            Action::Function => matches!(self.home, Home::Register(0..=5)),
            _ if self.depth > 0 => true,
            Action::Helper { .. } => self.helper(),
            _ => self.plain(&action),
        }
    }

    fn survives_call(&self) -> bool {
        !matches!(self.home, Home::Register(0..=5))
    }

    fn helper(&mut self) -> bool {
        if self.home == Home::Register(0) {
            self.hop(0);
        }
        self.survives_call()
    }

    /// Follows a value through an instruction within a function.
    fn plain(&mut self, action: &Action) -> bool {
        match (self.home, action) {
            (Home::Register(home), Action::Move { to, from }) if *to == home => {
                self.hop(home);
                self.follow(*from)
            }
            (Home::Register(home), Action::Load { to, place }) if *to == home => {
                self.hop(home);
                self.home = Home::Slot(place.offset);
                place.base == 10
            }
            (Home::Register(home), Action::Change { to, .. }) if *to == home => {
                self.hop(home);
                true
            }
            (Home::Register(home), Action::Set { to }) if *to == home => {
                self.hop(home);
                false
            }
            (Home::Slot(slot), Action::Store { place, from })
                if place.base == 10 && place.offset == slot =>
            {
                self.follow(*from)
            }
            _ => true,
        }
    }

    fn follow(&mut self, from: Operand) -> bool {
        let Operand::Register(register) = from else {
            return false;
        };
        self.home = Home::Register(register);
        true
    }

    fn hop(&mut self, register: Register) {
        self.hops.push(Hop {
            step: self.at,
            register,
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scan::scan;
    use crate::steps;

    fn pcs(log: &str, register: Register) -> Vec<u32> {
        let log = format!("{log}\nprocessed 9 insns (limit 1)");
        let scan = scan(log.as_bytes());
        let steps = steps::steps(log.as_bytes(), &scan.logs[0], usize::MAX);
        trail(&steps, steps.len() - 1, register)
            .iter()
            .map(|hop| steps[hop.step].insn.pc)
            .collect()
    }

    #[test]
    fn through_copies_and_the_stack() {
        let log = "0: (79) r1 = *(u64 *)(r6 +112)\n1: (7b) *(u64 *)(r10 -8) = r1\n2: (b7) r1 = 5\n\
                   3: (79) r2 = *(u64 *)(r10 -8)\n4: (bf) r3 = r2\n5: (07) r3 += 12\n6: (69) r0 = *(u16 *)(r3 +0)";
        assert_eq!(pcs(log, 3), [5, 4, 3, 0]);
    }

    #[test]
    fn to_the_call_that_returned_it() {
        let log = "0: (85) call bpf_map_lookup_elem#1\n1: (bf) r7 = r0\n2: (85) call bpf_x#2\n3: (61) r1 = *(u32 *)(r7 +0)";
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
        let log = "0: (b7) r6 = 1\n1: (85) call pc+5\n7: (b7) r6 = 2\n8: (b7) r0 = 3\n9: (95) exit\n2: (bf) r1 = r6\n3: (0f) r1 += r0\n4: (95) exit";
        assert_eq!(pcs(log, 6), [0], "the callee's r6 is another");
        assert_eq!(pcs(log, 0), [8]);
    }
}
