//! The model of a log: instructions, what registers hold, and the steps that the verifier took.

pub mod bounds;
pub mod insn;
pub mod knowledge;
pub mod message;
pub mod path;
pub mod state;
pub mod step;
pub mod trail;
