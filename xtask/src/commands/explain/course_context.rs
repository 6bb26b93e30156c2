//! What the course knows besides the log: the object's lines, the gallery's entries, the sources.

use bpf_verifier_log::report::{ReportContext, SourcePlace, SourceTree};
use bpf_verifier_log::{Class, ExplainedProgram};

use super::gallery_entry::find_gallery_entry;
use crate::output::indent::indent_lines;
use crate::pipeline::forbidden::LineReport;

/// What the object tells is about the first program.
pub struct CourseContext<'a> {
    lines: &'a LineReport,
    sources: SourceTree,
}

impl<'a> CourseContext<'a> {
    pub fn new(lines: &'a LineReport) -> Self {
        Self {
            lines,
            sources: SourceTree::new("."),
        }
    }
}

impl ReportContext for CourseContext<'_> {
    fn find_place(&self, index: usize, program: &ExplainedProgram) -> Option<SourcePlace> {
        let of_object = self.lines.site_as_place().filter(|_| index == 0);
        of_object.or_else(|| self.sources.find_place(index, program))
    }

    fn program_text(&self, index: usize, _program: &ExplainedProgram) -> Option<String> {
        (index == 0).then(|| format_lines(self.lines))
    }

    fn class_text(&self, class: Class) -> Option<String> {
        let entry = find_gallery_entry(class.slug())?;
        Some(format!("\ngallery: cargo xtask gallery {entry}\n"))
    }
}

/// What the object file tells of the place.
fn format_lines(lines: &LineReport) -> String {
    let mut text = String::new();
    if let Some(site) = lines.site_as_text() {
        text += &format!(
            "\nthe line of your source that it comes from\n{}",
            indent_lines(&site, 2)
        );
    }
    if !lines.calls.is_empty() {
        text += &format!(
            "\nwhat the object file tells\n{}",
            indent_lines(&lines.as_text(), 2)
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use bpf_verifier_log::explain_log;

    use super::*;

    /// The log is about a line of a library, the object about the line that calls it.
    #[test]
    fn the_objects_line_is_the_place_of_the_first_program() {
        let log = b"0: R1=ctx() R10=fp0\n; lib() @ lib.rs:3\n0: (bf) r0 = r2\nR2 !read_ok\n";
        let explanation = explain_log(log);
        let program = &explanation.programs[0];
        let lines = LineReport::sample();
        let context = CourseContext::new(&lines);
        let place = context.find_place(0, program).unwrap();
        assert_eq!(
            (place.file.as_str(), place.line, place.column),
            ("main.rs", 7, Some(1))
        );
        let other = context.find_place(1, program).unwrap();
        assert_eq!(
            (other.file.as_str(), other.line, other.column),
            ("lib.rs", 3, None)
        );
        assert!(context.program_text(1, program).is_none());
    }
}
