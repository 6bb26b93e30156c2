//! Reads the logs of the kernel's BPF verifier, wherever they were copied from, and explains why a
//! program was rejected.
//!
//! ```text
//!   classes/   the classes of errors, and what to do about each
//!   grammar/   recognises messages: a template, the table of all (*.templates), words and numbers
//!   log/       the model: an instruction, what registers hold, a step; where a value comes from
//!   input/     finds logs in any text: lines, what each line is, one pass over all, steps
//!   explain/   decides the reason (decide_reason) and its class (decide_class), and says in plain
//!              English what was known and what was missing (finding, trace, words)
//! ```
//!
//! Each directory uses only those above it.
//!
//! The input can be of any size and hold anything; nothing here panics, and no text that is handed
//! out has characters that could take over a terminal. There is no I/O, so that it also runs in a
//! web page.
//!
//! ```
//! use bpf_verifier_log::{Class, LogVerdict, explain_log};
//!
//! let log = b"0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)";
//! let explanation = explain_log(log);
//! assert_eq!(explanation.verdict, LogVerdict::Explained);
//! assert_eq!(explanation.programs[0].class, Some(Class::UninitReg));
//! ```

#![no_std]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod classes;
mod explain;
mod grammar;
mod input;
mod log;

pub use classes::class_text::ClassText;
pub use classes::{Class, UnknownClass};
pub use explain::diagnosis::Diagnosis;
pub use explain::explained_program::{ExplainedProgram, LogSteps, LogVerdict};
pub use explain::explanation::{Explanation, explain_log};
pub use explain::finding::Finding;
pub use explain::trace::{KnownValue, LogTrace, MOST_STEPS, TraceStep};
pub use input::text::clean_text;
pub use log::insn::Insn;
pub use log::message::LogMessage;
pub use log::step::{LogStep, SourceLine};
