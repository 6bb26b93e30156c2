//! What the caller of a report knows besides the log.

use alloc::string::String;

use crate::classes::Class;
use crate::explain::explained_program::ExplainedProgram;
use crate::log::step::SourceLine;

/// What the caller of a report knows besides the log. Every answer is optional.
///
/// Programs are counted as in [`Explanation::programs`](crate::Explanation::programs), from 0.
pub trait ReportContext {
    /// Where the source line of the refused instruction is. A log names only the last part of the
    /// file's path; [`SourceTree`](crate::report::SourceTree) finds the rest.
    fn find_place(&self, index: usize, program: &ExplainedProgram) -> Option<SourcePlace> {
        let _ = index;
        program.source.as_ref().and_then(SourcePlace::from_source)
    }

    /// What else is known about a program: whole lines that the text form shows between the place
    /// of the error and what the verifier knew.
    fn program_text(&self, index: usize, program: &ExplainedProgram) -> Option<String> {
        let _ = (index, program);
        None
    }

    /// Whole lines that the text form shows after the advice about a class.
    fn class_text(&self, class: Class) -> Option<String> {
        let _ = class;
        None
    }
}

/// Nothing is known besides the log.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoContext;

impl ReportContext for NoContext {}

/// A place in a source file, as an editor finds it.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct SourcePlace {
    /// Its path, or only its name where no more is known.
    pub file: String,
    /// From 1.
    pub line: u32,
    /// In characters, from 1; `None` where it is not known, and the whole line is meant.
    pub column: Option<u32>,
    /// The text of the line, without its end; empty where it is not known.
    pub text: String,
}

impl SourcePlace {
    /// A whole line; the column may be set afterwards.
    pub fn new(file: impl Into<String>, line: u32, text: impl Into<String>) -> Self {
        Self {
            file: file.into(),
            line,
            column: None,
            text: text.into(),
        }
    }

    /// As the log has it. Compilers give line 0 to what comes from no line.
    pub(crate) fn from_source(source: &SourceLine) -> Option<Self> {
        let (file, line) = source.file.as_ref().zip(source.line)?;
        if line == 0 {
            return None;
        }
        Some(Self::new(file.as_str(), line, source.text.as_str()))
    }

    /// The columns of the first character that is meant and of the one after the last, from 1.
    pub(crate) fn columns(&self) -> (u32, u32) {
        let length = count_chars(self.text.trim_end());
        let indent = count_chars(&self.text) - count_chars(self.text.trim_start());
        let is_blank = self.text.trim().is_empty();
        let start = match self.column {
            Some(column) => column.max(1),
            None if is_blank => 1,
            None => indent + 1,
        };
        (start, (length + 1).max(start))
    }
}

fn count_chars(text: &str) -> u32 {
    u32::try_from(text.chars().count()).unwrap_or(u32::MAX - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_line_is_what_is_written_in_it() {
        let columns = |text: &str| SourcePlace::new("a.c", 1, text).columns();
        assert_eq!(columns("  return 0;"), (3, 12));
        assert_eq!(columns("é;  "), (1, 3));
        assert_eq!((columns(""), columns("   ")), ((1, 1), (1, 1)));
    }

    #[test]
    fn line_0_is_no_place() {
        let place = |line| {
            SourcePlace::from_source(&SourceLine {
                text: String::new(),
                file: Some("a.c".into()),
                line: Some(line),
            })
        };
        assert_eq!(place(0), None);
        assert_eq!(place(1), Some(SourcePlace::new("a.c", 1, "")));
    }

    #[test]
    fn a_column_is_kept() {
        let mut place = SourcePlace::new("a.c", 1, "  return 0;");
        place.column = Some(10);
        assert_eq!(place.columns(), (10, 12));
        place.column = Some(99);
        assert_eq!(place.columns(), (99, 99));
    }
}
