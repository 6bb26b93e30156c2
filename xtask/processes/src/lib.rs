//! Other programs that work for the tool: they end with it, and signals reach them.
//!
//! ```text
//!   child        ties a program to our life; asks one a quick question; finds one in PATH
//!   interrupt    what Ctrl-C, SIGTERM and SIGHUP do, and who is told
//!   Foreground   a program that works while the tool waits: it has the signals that we get
//!   Interrupted  the error of a command that a signal ended
//! ```

pub mod child;
mod foreground;
pub mod interrupt;

pub use foreground::{Ended, Foreground};
pub use interrupt::Interrupted;
