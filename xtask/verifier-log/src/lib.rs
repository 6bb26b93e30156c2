//! Reads the logs of the kernel's BPF verifier, wherever they were copied from, and explains why a
//! program was rejected.
//!
//! ```text
//!   text       undoes what terminals, JSON and web pages did to a line
//!   needle     a text that is looked for in every line
//!   lines      the lines of the input, also those within a quoted string
//!   template   one message of the kernel;  table  all of them (kernel.templates, outside.templates)
//!   line       what a line is: instruction, state, source, message...
//!   scan       one pass: which logs there are, and what each ends with
//!   outcome    what the loader says around a log
//!   decide     which line is the reason, and its class;  class  the explanations
//!   steps      the instructions with what was known (insn, state, bounds);  trail  where a value comes from
//!   finding    what can be said of this very rejection;  words, meaning  in plain English
//!   trace      the steps with all that was known at each, to be looked at one by one
//!   diagnosis  the report of Linux 7.3
//!   outside    errors around the logs;  prose  messages in running text
//!   report     all together
//! ```
//!
//! The input can be of any size and hold anything; nothing here panics, and no text that is handed
//! out has characters that could take over a terminal. There is no I/O, so that it also runs in a
//! web page.
//!
//! ```
//! let log = b"0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)";
//! let report = verifier_log::explain(log);
//! assert_eq!(report.verdict, verifier_log::Verdict::Explained);
//! assert_eq!(report.programs[0].class.map(|class| class.slug), Some("uninit-reg"));
//! ```

mod bounds;
pub mod class;
#[cfg(test)]
mod coverage;
mod decide;
mod diagnosis;
mod finding;
mod helpers;
mod insn;
mod line;
mod lines;
mod meaning;
mod needle;
mod outcome;
mod outside;
mod prose;
mod report;
mod scan;
mod state;
mod steps;
mod table;
mod template;
mod text;
mod trace;
mod trail;
#[cfg(test)]
mod wordings;
mod words;

pub use bounds::Bounds;
pub use class::Class;
pub use decide::Message;
pub use diagnosis::Diagnosis;
pub use finding::Finding;
pub use insn::{Action, Insn, Operand, Place, Register};
pub use report::{Program, Report, Verdict, Walk, explain};
pub use state::{State, Value};
pub use steps::{Source, Step, knowledge};
pub use text::clean;
pub use trace::{Known, MOST_STEPS, Stop, Trace};
pub use trail::{Hop, trail};
