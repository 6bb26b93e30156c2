//! Reads the logs of the kernel's BPF verifier, wherever they were copied from, and explains why a
//! program was rejected.
//!
//! ```
//! use bpf_verifier_log::{Class, LogVerdict, explain_log};
//!
//! let log = b"0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)";
//! let explanation = explain_log(log);
//! assert_eq!(explanation.verdict, LogVerdict::Explained);
//! assert_eq!(explanation.programs[0].class, Some(Class::UninitReg));
//! ```
//!
//! [`explain_log`] takes a text, [`LogReader`] one that comes in pieces. Both find all logs in it,
//! and the errors that loaders print without one. An [`ExplainedProgram`] says what became of a
//! program: the decisive lines, the refused instruction and its source line, the [`Class`] of the
//! error with its fixes, and what the verifier knew ([`Finding`]).
//! [`trace`](ExplainedProgram::trace) goes through the log step by step. With the feature
//! `report`, the module `report` writes it all as text, JSON, rustc's JSON, SARIF or GitHub's
//! annotations.
//!
//! The input can be of any size and hold anything; nothing here panics, and no text that is handed
//! out has characters that could take over a terminal. There is no I/O, so that it also runs in a
//! web page; only `report::SourceTree` looks for source files. There are no errors either: what is
//! no log has the verdict [`LogVerdict::NoLog`].
//!
//! # Units
//!
//! Lines of the input are counted from 1, and so are lines and columns of source files. Numbers of
//! instructions are the verifier's, from 0. Sizes and offsets are bytes.
//!
//! # Features
//!
//! | feature | what it adds |
//! |---|---|
//! | `std` | a faster search for texts; without it, the crate is `no_std` and needs `alloc` |
//! | `serde` | `Serialize` for everything that is found |
//! | `report` | the module `report`; with `std` and `serde` |
//! | `cli` (the default) | the program `bpf-explain`; with `report` |
//!
//! # How it works
//!
//! ```text
//!   classes/   the classes of errors, and what to do about each
//!   grammar/   recognises messages: a template, the table of all (*.templates), words and numbers
//!   log/       the model: an instruction, what registers hold, a step; where a value comes from
//!   input/     finds logs in any text: lines, what each line is, one pass over all, steps
//!   explain/   decides the reason (decide_reason) and its class (decide_class), and says in plain
//!              English what was known and what was missing (finding, trace, words)
//!   cost/      how much of the verifier's work each line, loop and function took, and why
//!   report/    an explanation in the forms that people and programs read
//!   bin/       the program `bpf-explain`
//! ```
//!
//! Each directory uses only those above it.

#![no_std]
#![deny(missing_docs)]

extern crate alloc;
#[cfg(any(test, feature = "report"))]
extern crate std;

mod classes;
mod cost;
mod explain;
mod grammar;
mod input;
mod log;
#[cfg(feature = "report")]
pub mod report;

pub use classes::class_text::ClassText;
pub use classes::{Class, UnknownClass};
pub use cost::cost_advice::{AdviceKind, CostAdvice};
pub use cost::cost_reader::{CostReader, measure_cost};
pub use cost::program_cost::{
    ForkCost, FunctionCost, LineCost, LogShare, LoopCost, MergeObstacle, PathCounts, ProgramCost,
    StateCounts,
};
pub use explain::diagnosis::Diagnosis;
pub use explain::explained_program::{ExplainedProgram, LogSteps, LogVerdict};
pub use explain::explanation::{Explanation, LogReader, explain_log};
pub use explain::finding::{Finding, FindingFact};
pub use explain::trace::{KnownValue, LogTrace, MOST_STEPS, TraceStep};
pub use grammar::message_age::{KERNEL_SERIES, MessageAge};
pub use input::loader::Loader;
pub use input::missing_part::MissingPart;
pub use input::text::clean_text;
pub use log::insn::Insn;
pub use log::message::LogMessage;
pub use log::step::{LogStep, SourceLine};

/// The examples of the README are compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct ReadmeExamples;

#[cfg(test)]
mod tests {
    use super::*;

    /// What threads hand to each other, and callers keep.
    #[test]
    fn answers_can_be_sent_and_kept() {
        fn keep<T: Clone + Send + Sync + core::fmt::Debug + 'static>() {}
        fn send<T: Send + Sync + 'static>() {}
        fn report_error<T: core::error::Error + Send + Sync + 'static>() {}
        keep::<Explanation>();
        keep::<ExplainedProgram>();
        keep::<LogTrace>();
        keep::<LogSteps>();
        send::<LogReader>();
        report_error::<UnknownClass>();
    }
}
