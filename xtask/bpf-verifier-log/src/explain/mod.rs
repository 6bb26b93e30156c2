//! Decides what a log means, and says it in plain English.

#[cfg(test)]
mod coverage;
pub mod decide_class;
pub mod decide_reason;
pub mod describe_insn;
pub mod diagnosis;
pub mod explained_program;
pub mod explanation;
pub mod finding;
pub mod helpers;
pub mod memory_access;
pub mod message_text;
pub mod outside;
pub mod prose;
pub mod trace;
#[cfg(test)]
mod wordings;
pub mod words;
