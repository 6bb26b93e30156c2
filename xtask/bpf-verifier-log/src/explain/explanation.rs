//! The answer: what was found in a text, program by program.

use alloc::vec::Vec;

use crate::explain::explained_program::{ExplainedProgram, LogVerdict};
use crate::explain::outside::add_outside_errors;
use crate::input::scan::scan_text;

/// What a text says about the programs in it.
#[derive(Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Explanation {
    pub verdict: LogVerdict,
    /// The rejected programs first, then the others, in the order of the text.
    pub programs: Vec<ExplainedProgram>,
}

/// Explains a text of any kind and size.
pub fn explain_log(input: &[u8]) -> Explanation {
    let scan = scan_text(input);
    let mut programs: Vec<ExplainedProgram> = Vec::new();
    for log in scan.logs {
        let program = ExplainedProgram::of_log(input, log);
        let is_repeated = programs
            .iter()
            .any(|earlier| earlier.says_the_same_as(&program));
        if !is_repeated {
            programs.push(program);
        }
    }
    let has_explained = programs
        .iter()
        .any(|program| program.verdict == LogVerdict::Explained);
    if !has_explained {
        add_outside_errors(&mut programs, &scan.outside, input);
    }
    programs.sort_by_key(|program| program.verdict);
    let verdict = programs
        .first()
        .map_or(LogVerdict::NoLog, |program| program.verdict);
    Explanation { verdict, programs }
}
