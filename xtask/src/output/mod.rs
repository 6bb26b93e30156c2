//! What people see: answers on standard output, everything else on standard error.
//!
//! ```text
//!   screen     lines, marks, answers
//!   stage      what several VMs say at once, as one tidy output
//!   row        what they gave, as a table
//!   error      an error with its help
//!   consent    a question before something is done
//!   reporter   what set-up does
//!   indent     text that belongs to a line above it
//! ```

pub mod consent;
pub mod error;
pub mod indent;
pub mod reporter;
pub mod row;
pub mod screen;
pub mod stage;
