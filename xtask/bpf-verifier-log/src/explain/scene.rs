//! The place where a program was refused: what the registers held there, and where that came from.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::classes::Class;
use crate::explain::decide_reason::RejectionReason;
use crate::explain::finding::{Finding, FindingFact};
use crate::explain::words::{describe_origin, describe_step, describe_value_in};
use crate::log::insn::{FRAME_POINTER, Insn, InsnAction, Register};
use crate::log::knowledge::{reconstruct_operands, reconstruct_state};
use crate::log::state::{FrameState, TrackedValue};
use crate::log::step::LogStep;
use crate::log::trail::{Hop, find_origin, find_trail};

pub struct Scene<'a> {
    pub reason: &'a RejectionReason,
    pub steps: &'a [LogStep],
    /// Index of the instruction that was refused.
    pub at: usize,
    /// What the verifier knew there.
    pub state: FrameState,
    /// What is said of it.
    pub finding: Finding,
}

impl<'a> Scene<'a> {
    pub fn new(reason: &'a RejectionReason, steps: &'a [LogStep], at: usize) -> Self {
        Self {
            reason,
            steps,
            at,
            state: reconstruct_state(steps, at),
            finding: Finding::default(),
        }
    }

    pub fn refused_step(&self) -> &'a LogStep {
        &self.steps[self.at]
    }

    /// The number of the refused instruction.
    pub fn refused_pc(&self) -> u32 {
        self.refused_step().insn.pc
    }

    /// What the register of the message holds.
    pub fn named_value(&self) -> Option<&TrackedValue> {
        self.state.register_value(self.reason.register?)
    }

    pub fn message_says(&self, text: &str) -> bool {
        self.reason
            .lines
            .iter()
            .any(|line| line.text.contains(text))
    }

    pub fn tell_known(&mut self, sentence: String) {
        self.finding.known.push(sentence);
    }

    pub fn tell_missing(&mut self, missing: String) {
        self.finding.missing = Some(missing);
    }

    /// An instruction in words, which the log then shows.
    pub fn name_step(&mut self, step: usize) -> String {
        self.finding
            .facts
            .push(FindingFact::of_step(&self.steps[step]));
        describe_step(&self.steps[step])
    }

    /// A value in words, which the log then shows; `None` if not all of it is in the log.
    pub fn name_value(
        &mut self,
        at: usize,
        register: Register,
        state: &FrameState,
    ) -> Option<String> {
        let value = state.register_value(register)?;
        let words = describe_value_in(value, state.frame)?;
        let fact = FindingFact::of_value(&self.steps[at], register, value);
        self.finding.facts.push(fact);
        Some(words)
    }

    /// What the register of the message holds, and where it comes from.
    pub fn tell_register(&mut self) {
        if let Some(register) = self.reason.register {
            self.tell_register_of(register);
        }
    }

    pub fn tell_register_of(&mut self, register: Register) {
        self.tell_value(register);
        self.tell_trail(register);
    }

    pub fn tell_value(&mut self, register: Register) {
        let state = self.state.clone();
        if let Some(words) = self.name_value(self.at, register, &state) {
            self.tell_known(format!("R{register} is {words}."));
        }
    }

    /// The instructions that brought a register its value.
    fn tell_trail(&mut self, register: Register) {
        /// Of the instructions after the one that made the value.
        const MOST: usize = 3;
        let hops = self.without_repeats(find_trail(self.steps, self.at, register));
        let Some((origin, later)) = hops.split_last() else {
            return;
        };
        if find_origin(self.steps, self.at, register).is_none() {
            return;
        }
        self.tell_origin(register, *origin);
        for hop in later.iter().rev().take(MOST) {
            let step = self.name_step(hop.step);
            self.tell_known(format!("Then {step}."));
        }
        match later.len().saturating_sub(MOST) {
            0 => {}
            1 => self.tell_known("One more instruction copies or changes it after that.".into()),
            more => self.tell_known(format!(
                "{more} more instructions copy or change it after that."
            )),
        }
    }

    /// Of the rounds of a loop, only the last.
    pub fn without_repeats(&self, hops: Vec<Hop>) -> Vec<Hop> {
        let mut kept: Vec<Hop> = Vec::new();
        for hop in hops {
            let pc = self.steps[hop.step].insn.pc;
            if !kept
                .iter()
                .any(|other| self.steps[other.step].insn.pc == pc)
            {
                kept.push(hop);
            }
        }
        kept
    }

    pub fn tell_origin(&mut self, register: Register, hop: Hop) {
        let insn = &self.steps[hop.step].insn;
        let through = match insn.insn_action() {
            InsnAction::Load { place, .. } if place.base != FRAME_POINTER => {
                self.name_base(hop.step, place.base)
            }
            _ => String::new(),
        };
        let (step, origin) = (self.name_step(hop.step), describe_origin(insn));
        self.tell_known(format!("R{register} comes from {step}: {origin}{through}."));
    }

    /// The pointer that a load went through.
    fn name_base(&mut self, step: usize, base: Register) -> String {
        let state = reconstruct_operands(self.steps, step);
        match self.name_value(step, base, &state) {
            Some(words) => format!(" through R{base}, which was {words}"),
            None => String::new(),
        }
    }
}

/// Whether a message can be about this instruction; if not, the log leaves out the refused one.
pub fn may_be_refused(insn: &Insn, reason: &RejectionReason) -> bool {
    let action = insn.insn_action();
    // Calls do a bit of everything, and what cannot be read may do anything.
    let is_open = insn.clears_arguments() || matches!(action, InsnAction::Other);
    if is_open {
        return true;
    }
    match reason.class {
        Some(Class::UnreleasedRef | Class::ReturnRange) => *action == InsnAction::Exit,
        Some(Class::PtrArithUnbounded | Class::PtrArithOutOfBounds) => {
            matches!(action, InsnAction::Change { .. })
        }
        Some(
            Class::MapValueBounds
            | Class::MemBounds
            | Class::UnboundedAccess
            | Class::BufferBounds
            | Class::PacketBounds
            | Class::ScalarDeref
            | Class::PointerDeref
            | Class::MapValueOrNull
            | Class::StackBounds
            | Class::UninitStack,
        ) => reaches_memory(action, reason.register),
        _ => match reason.register {
            Some(0) if *action == InsnAction::Exit => true,
            Some(register) => insn.names_register(register),
            None => true,
        },
    }
}

/// Whether an instruction reads or writes memory, through this register if it is known.
fn reaches_memory(action: &InsnAction, register: Option<Register>) -> bool {
    let (InsnAction::Load { place, .. }
    | InsnAction::Store { place, .. }
    | InsnAction::Atomic { place, .. }) = action
    else {
        return false;
    };
    register.is_none_or(|register| register == place.base)
}
