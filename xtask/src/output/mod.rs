//! What people see: answers on standard output, everything else on standard error.
//!
//! ```text
//!   screen           lines, marks, answers
//!   ordered_output   what several VMs print at once, one VM after the other
//!   row              what they gave, as a table
//!   plain_text       texts of strangers, without what a terminal would obey
//!   error            an error with its help
//!   consent          a question before something is done
//!   reporter         what set-up does
//!   indent           text that belongs to the line before it
//!   progress_bar     how far the learner has come
//!   terminal         the size of the user's terminal, and another mode for a while
//! ```

pub mod consent;
pub mod error;
pub mod indent;
pub mod ordered_output;
pub mod plain_text;
pub mod progress_bar;
pub mod reporter;
pub mod row;
pub mod screen;
pub mod terminal;
