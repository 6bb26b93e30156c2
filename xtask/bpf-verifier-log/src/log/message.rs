//! A line of the log that is worth being quoted.

use alloc::string::String;

/// A line of the log that says why.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogMessage {
    /// Number of the line in the input, from 1.
    pub line: usize,
    /// Without time stamps, numbers of lines and the like.
    pub text: String,
}
