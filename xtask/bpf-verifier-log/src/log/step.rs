//! The steps that the verifier took through a program. All that this library says about the way
//! of a program is made from them.

use alloc::borrow::ToOwned;
use alloc::string::String;

use crate::log::insn::Insn;
use crate::log::state::FrameState;

/// One instruction that the verifier went through.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct LogStep {
    /// Number of its line in the input.
    pub line: usize,
    pub insn: Insn,
    /// The source line that it was made from, where the log says so.
    pub source: Option<SourceLine>,
    /// The instruction that jumped here, where a branch begins.
    pub came_from: Option<u32>,
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
pub struct SourceLine {
    pub text: String,
    /// Kernels from 6.9 on say where it is.
    pub file: Option<String>,
    pub line: Option<u32>,
}

impl SourceLine {
    pub(crate) fn parse_source(text: &str) -> Self {
        let text = text.trim_start_matches(';').trim();
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
                text: text.to_owned(),
                file: None,
                line: None,
            },
        }
    }
}

/// The step that the verifier took before this one on the same path.
pub fn find_previous_step(steps: &[LogStep], index: usize) -> Option<usize> {
    match steps.get(index)?.came_from {
        Some(pc) => steps[..index].iter().rposition(|step| step.insn.pc == pc),
        None => index.checked_sub(1),
    }
}
