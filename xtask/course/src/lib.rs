//! What the course consists of, as its files describe it: data only, nothing is built or run here.
//!
//! ```text
//!   catalog          the lessons: what each needs, what its demo is
//!   implementation   aya and libbpf: the library that drives a lesson's programs
//!   exercises        what learners solve
//!   choice           which exercise a learner means
//!   progress         what the learner has done
//!   entry            the gallery of verifier errors
//! ```

pub mod catalog;
pub mod choice;
pub mod entry;
pub mod exercises;
mod implementation;
pub mod progress;

pub use implementation::Implementation;
