//! A line of the log that is worth being quoted.

use alloc::string::String;

#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LogMessage {
    /// Number of the line in the input, from 1.
    pub line: usize,
    pub text: String,
}
