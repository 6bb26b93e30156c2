//! The report that Linux 7.3 adds to a rejection, below the classic line:
//!
//! ```text
//! Verification failed: Register Type Safety: Invalid dereference
//!
//! Reason:
//!   R0 may be NULL here ...
//! At:
//!   ...
//! Suggestion:
//!   Add a NULL check before the access ...
//! ```

use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;

/// The parts of the report that say something new.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
pub struct Diagnosis {
    /// `Register Type Safety`
    pub category: String,
    /// `Invalid dereference`
    pub problem: String,
    pub reason: String,
    pub suggestion: String,
}

impl Diagnosis {
    pub(crate) fn read_diagnosis(lines: &[String]) -> Option<Self> {
        let title = lines.first()?.split_once("Verification failed: ")?.1;
        let (category, problem) = title.split_once(": ").unwrap_or((title, ""));
        Some(Self {
            category: category.trim().to_owned(),
            problem: problem.trim().to_owned(),
            reason: section(lines, "Reason:"),
            suggestion: section(lines, "Suggestion:"),
        })
    }
}

/// The text below a heading, up to the next one.
fn section(lines: &[String], heading: &str) -> String {
    let inside = lines
        .iter()
        .skip_while(|line| line.trim() != heading)
        .skip(1);
    let text: Vec<_> = inside
        .map(|line| line.trim())
        .take_while(|line| !is_heading(line))
        .collect();
    text.join(" ").trim().to_owned()
}

fn is_heading(line: &str) -> bool {
    matches!(line, "Reason:" | "At:" | "Causal path:" | "Suggestion:")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_parts_of_a_report() {
        let lines = [
            "Verification failed: Register Type Safety: Unreadable register",
            "",
            "Reason:",
            "  R2 is not",
            "  readable.",
            "At:",
            "  main @ prog.c:12:9",
            "Suggestion:",
            "  Set it.",
        ];
        let report = Diagnosis::read_diagnosis(&lines.map(str::to_owned)).unwrap();
        assert_eq!(
            (report.category.as_str(), report.problem.as_str()),
            ("Register Type Safety", "Unreadable register")
        );
        assert_eq!(
            (report.reason.as_str(), report.suggestion.as_str()),
            ("R2 is not readable.", "Set it.")
        );
        assert_eq!(Diagnosis::read_diagnosis(&[]), None);
    }
}
