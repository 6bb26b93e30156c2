//! Decides what a log means, and says it in plain English.

pub mod added_number;
pub mod agreement;
#[cfg(test)]
mod coverage;
pub mod decide_class;
pub mod decide_reason;
pub mod decide_report_class;
pub mod derive_finding;
pub mod describe_insn;
pub mod diagnosis;
pub mod explained_program;
pub mod explanation;
pub mod finding;
pub mod helpers;
pub mod lockdown;
pub mod memory_access;
pub mod message_fact;
pub mod message_text;
pub mod outside;
pub mod packet_access;
pub mod prose;
pub mod scene;
pub mod trace;
#[cfg(test)]
mod wordings;
pub mod words;
