//! The answer: what was found in a text, program by program.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::explain::explained_program::{ExplainedProgram, LogVerdict};
use crate::explain::lockdown::TypeSigns;
use crate::explain::outside::{add_outside_errors, explain_by_errno};
use crate::explain::prose::TextSample;
use crate::input::encoding::TextDecoder;
use crate::input::lines::LineReader;
use crate::input::program_log::ProgramLog;
use crate::input::scan::LogScanner;

/// What a text says about the programs in it.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct Explanation {
    /// That of the first program; [`LogVerdict::NoLog`] if there is none.
    pub verdict: LogVerdict,
    /// The rejected programs first, then the others, in the order of the text.
    pub programs: Vec<ExplainedProgram>,
}

/// Explains a text of any kind and size.
pub fn explain_log(input: &[u8]) -> Explanation {
    let mut reader = LogReader::new();
    reader.push(input);
    reader.finish()
}

/// Explains a text that comes in pieces, from a pipe or a large file.
///
/// It holds some megabytes at most, however long the text is. The pieces may end anywhere: within a
/// line, a character, an escape. The answer is that of [`explain_log`] for the whole text.
///
/// ```
/// use bpf_verifier_log::{Class, LogReader};
///
/// let mut reader = LogReader::new();
/// for piece in ["0: (bf) r0 ", "= r2\nR2 !read", "_ok\nprocessed 1 insns"] {
///     reader.push(piece.as_bytes());
/// }
/// assert_eq!(reader.finish().programs[0].class, Some(Class::UninitReg));
/// ```
///
/// The steps of a program are not kept: [`ExplainedProgram::read_steps`] and
/// [`ExplainedProgram::trace`] take the whole text once more.
#[derive(Debug, Default)]
pub struct LogReader {
    decoder: TextDecoder,
    text: TextReader,
}

impl LogReader {
    /// A reader that has read nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the text.
    pub fn push(&mut self, bytes: &[u8]) {
        let text = &mut self.text;
        self.decoder
            .push_bytes(bytes, &mut |piece| text.push_text(piece));
    }

    /// The text is over.
    pub fn finish(self) -> Explanation {
        let mut text = self.text;
        self.decoder.finish_text(&mut |piece| text.push_text(piece));
        text.finish_text()
    }
}

/// The same for a text that has been decoded.
#[derive(Debug, Default)]
struct TextReader {
    sample: TextSample,
    lines: LineReader,
    scanner: LogScanner,
    programs: FoundPrograms,
}

impl TextReader {
    fn push_text(&mut self, piece: &[u8]) {
        self.sample.push_text(piece);
        let (scanner, programs) = (&mut self.scanner, &mut self.programs);
        self.lines.push_bytes(piece, &mut |line| {
            scanner.take_line(line);
            programs.take_settled(scanner);
        });
    }

    fn finish_text(self) -> Explanation {
        let (mut scanner, mut programs) = (self.scanner, self.programs);
        self.lines.finish_lines(&mut |line| {
            scanner.take_line(line);
            programs.take_settled(&mut scanner);
        });
        let outside = scanner.finish_scan();
        programs.take_settled(&mut scanner);
        let mut programs = programs.all;
        let has_explained = programs
            .iter()
            .any(|program| program.verdict == LogVerdict::Explained);
        if has_explained || !add_outside_errors(&mut programs, &outside, &self.sample) {
            explain_by_errno(&mut programs, has_explained);
        }
        if programs.is_empty() {
            programs.extend(ExplainedProgram::of_heading(scanner.take_heading()));
        }
        let signs = TypeSigns::read_signs(self.sample.parts());
        for program in &mut programs {
            program.tell_lockdown(signs);
        }
        programs.sort_by_key(ExplainedProgram::find_rank);
        let verdict = programs
            .first()
            .map_or(LogVerdict::NoLog, |program| program.verdict);
        Explanation { verdict, programs }
    }
}

/// What a text can be expected to hold; the rest is left out. Rejections are worth more than logs
/// of programs that loaded.
const MOST_REJECTIONS: usize = 1000;
const MOST_OTHERS: usize = 500;

/// The programs of a text so far, each of them once.
#[derive(Debug, Default)]
struct FoundPrograms {
    all: Vec<ExplainedProgram>,
    /// The rejected ones by what they say.
    by_content: BTreeMap<u64, Vec<usize>>,
}

impl FoundPrograms {
    fn take_settled(&mut self, scanner: &mut LogScanner) {
        while let Some(log) = scanner.pop_settled() {
            self.add_log(&log);
        }
    }

    fn add_log(&mut self, log: &ProgramLog) {
        let program = ExplainedProgram::of_log(log);
        if program.is_about_others() {
            return;
        }
        let is_rejection = program.verdict != LogVerdict::NoRejection;
        // A list of types of which none is refused says nothing of a program.
        if log.btf.is_some() && !is_rejection && program.errno.is_none() {
            return;
        }
        let most = if is_rejection {
            MOST_REJECTIONS
        } else {
            MOST_OTHERS
        };
        if self.all.len() >= most {
            return;
        }
        if is_rejection {
            // A loader may print a log twice.
            let similar = self.by_content.entry(program.hash_content()).or_default();
            let all = &mut self.all;
            if let Some(&at) = similar
                .iter()
                .find(|&&at| all[at].says_the_same_as(&program))
            {
                if all[at].is_only_quoted() && !program.is_only_quoted() {
                    all[at] = program;
                }
                return;
            }
            similar.push(all.len());
        }
        self.all.push(program);
    }
}
