//! What can be said about one rejection: what the register held, where that came from, and what
//! was missing; and where in the input each of these can be seen.

use alloc::string::String;
use alloc::vec::Vec;

use crate::log::insn::Register;
use crate::log::state::TrackedValue;
use crate::log::step::LogStep;

/// Sentences about one rejection.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Finding {
    /// What the verifier knew, a sentence each.
    pub known: Vec<String>,
    /// What it would have had to know; `None` where the log does not tell.
    pub missing: Option<String>,
    /// What to do, where the advice of the class does not fit.
    pub fix: Option<String>,
    /// The instructions and values that the sentences name.
    pub facts: Vec<FindingFact>,
}

/// Something that a finding says, and the line that shows it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct FindingFact {
    /// Number of the line in the input, from 1.
    pub line: usize,
    /// The instruction that it is about.
    pub pc: u32,
    /// The register that held the value before this instruction; the line may show it of the one
    /// that it was copied from. `None`: the fact is the instruction itself.
    pub register: Option<u8>,
    /// The value or the instruction, as the line has it.
    pub text: String,
}

impl FindingFact {
    pub(crate) fn of_step(step: &LogStep) -> Self {
        Self {
            line: step.line,
            pc: step.insn.pc,
            register: None,
            text: step.insn.text.clone(),
        }
    }

    pub(crate) fn of_value(step: &LogStep, register: Register, value: &TrackedValue) -> Self {
        Self {
            line: value.line,
            pc: step.insn.pc,
            register: Some(register),
            text: value.text.clone(),
        }
    }
}
