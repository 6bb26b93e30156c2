//! The steps that the verifier took through a program. All that this library says about the way
//! of a program is made from them.

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

use crate::log::insn::Insn;
use crate::log::state::FrameState;

/// One instruction that the verifier went through.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LogStep {
    /// Number of its line in the input, from 1.
    pub line: usize,
    /// The instruction itself.
    pub insn: Insn,
    /// The source line that it was made from, where the log says so.
    pub source: Option<SourceLine>,
    /// The instruction that jumped here, where a branch begins.
    pub came_from: Option<u32>,
    /// Jumps whose other branch the verifier took up before this step and did not have to walk.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) pruned: Vec<u32>,
    /// The log says that another instruction comes before, and does not show it.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) follows_gap: bool,
    /// After it, the log says where the verifier went on.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) is_passed: bool,
    /// The whole state, where the log shows it before the instruction.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) before: Option<FrameState>,
    /// What the log shows after the instruction: the registers that it changed or used.
    #[cfg_attr(feature = "serde", serde(skip))]
    pub(crate) after: Option<FrameState>,
}

/// A line of the program's source.
#[derive(Clone, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct SourceLine {
    /// Without the spaces around it.
    pub text: String,
    /// The last part of the file's path. Kernels from 6.9 on say it.
    pub file: Option<String>,
    /// From 1. Kernels from 6.9 on say it.
    pub line: Option<u32>,
}

impl SourceLine {
    pub(crate) fn parse_source(text: &str) -> Self {
        let text = text.trim_start_matches(';').trim_end();
        let place = text.rsplit_once(" @ ").and_then(|(code, place)| {
            let (file, line) = place
                .trim_end_matches(|c: char| !c.is_ascii_digit())
                .rsplit_once(':')?;
            Some((code, file, line.parse().ok()?))
        });
        match place {
            Some((code, file, line)) => Self {
                text: code.trim().to_owned(),
                file: Some(file.to_owned()),
                line: Some(line),
            },
            None => Self {
                text: text.trim().to_owned(),
                file: None,
                line: None,
            },
        }
    }
}
