//! What verification cost: how often the verifier walked each instruction, line, loop and function,
//! and why.
//!
//! ```text
//!   cost_line      what one line of a log is, from a cheap look at its bytes
//!   seen_hashes    how many different states there were
//!   walked_state   what the registers hold, as the log goes on
//!   watch_point    what differs between two arrivals at one instruction
//!   insn_table     what is kept of each instruction, and of each line of source
//!   insn_effects   what an instruction reads, sets, and jumps to
//!   walk           one program's log, line by line
//!   liveness       which registers are still read
//!   program_cost, cost_advice
//!                  the result: what callers get
//!   summarize      makes it of a walk
//!   find_advice    finds what would make it cheaper, where the log proves it
//!   cost_reader    takes the lines of any input, and divides them by program
//! ```
//!
//! What is kept grows with the program, not with the log.

pub mod cost_advice;
mod cost_line;
pub mod cost_reader;
mod find_advice;
mod insn_effects;
mod insn_table;
mod liveness;
pub mod program_cost;
mod seen_hashes;
mod summarize;
mod walk;
mod walked_state;
mod watch_point;
