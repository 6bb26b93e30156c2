//! The forms of a report.

use alloc::borrow::ToOwned;
use alloc::string::String;
use core::fmt;
use core::str::FromStr;

use crate::explain::explanation::Explanation;
use crate::report::github::format_github;
use crate::report::json::format_json;
use crate::report::report_context::ReportContext;
use crate::report::rustc_json::format_rustc_json;
use crate::report::sarif::format_sarif;
use crate::report::text::format_text;

/// In which form an explanation is written.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum ReportFormat {
    /// For people: sentences in lines of at most 100 columns. What the log says is not wrapped.
    #[default]
    Text,
    /// One JSON object with everything that was found. Fields may be added; none is removed or
    /// changes its meaning while its `version` is 1.
    Json,
    /// One JSON object per line, a diagnostic as `rustc --error-format=json` prints it.
    Rustc,
    /// A SARIF 2.1.0 log file.
    Sarif,
    /// Workflow commands of GitHub, which become annotations: `::error file=...`.
    Github,
}

impl ReportFormat {
    /// All forms, in the order in which help texts list them.
    pub const ALL: &[Self] = &[
        Self::Text,
        Self::Json,
        Self::Rustc,
        Self::Sarif,
        Self::Github,
    ];

    /// The name that options use: `text`, `json`, `rustc`, `sarif`, `github`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
            Self::Rustc => "rustc",
            Self::Sarif => "sarif",
            Self::Github => "github",
        }
    }
}

/// From its name.
impl FromStr for ReportFormat {
    type Err = UnknownFormat;

    fn from_str(name: &str) -> Result<Self, UnknownFormat> {
        for format in Self::ALL {
            if format.name() == name {
                return Ok(*format);
            }
        }
        Err(UnknownFormat(name.to_owned()))
    }
}

/// A name that no form of a report has.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UnknownFormat(pub String);

impl fmt::Display for UnknownFormat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no format is called '{}'", self.0)
    }
}

impl core::error::Error for UnknownFormat {}

/// Writes an explanation in one of the forms. The text ends with a newline.
///
/// ```
/// use bpf_verifier_log::explain_log;
/// use bpf_verifier_log::report::{NoContext, ReportFormat, format_report};
///
/// let log = b"0: (bf) r0 = r2\nR2 !read_ok\nprocessed 1 insns (limit 1000000)";
/// let text = format_report(&explain_log(log), ReportFormat::Text, &NoContext);
/// assert!(text.starts_with("R2 !read_ok\n\nclass         uninit-reg: "));
/// ```
pub fn format_report(
    explanation: &Explanation,
    format: ReportFormat,
    context: &dyn ReportContext,
) -> String {
    match format {
        ReportFormat::Text => format_text(explanation, context),
        ReportFormat::Json => format_json(explanation),
        ReportFormat::Rustc => format_rustc_json(explanation, context),
        ReportFormat::Sarif => format_sarif(explanation, context),
        ReportFormat::Github => format_github(explanation, context),
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::ToString;

    use super::*;

    #[test]
    fn a_format_is_found_by_its_name() {
        for format in ReportFormat::ALL {
            assert_eq!(format.name().parse(), Ok(*format));
        }
        let error = "xml".parse::<ReportFormat>().unwrap_err();
        assert_eq!(error.to_string(), "no format is called 'xml'");
    }
}
