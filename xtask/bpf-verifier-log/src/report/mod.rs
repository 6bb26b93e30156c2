//! An [`Explanation`](crate::Explanation) in the forms that people and programs read.
//!
//! ```text
//!   report_format    the forms, and one function that writes them all
//!   report_context   what the caller knows besides the log: where a source file is
//!   source_tree      finds the source files that a log names, in a directory
//!   text             for people
//!   json             everything that was found, for programs
//!   rustc_json       diagnostics as rustc prints them, for editors
//!   sarif            SARIF 2.1.0, for code scanning
//!   github           annotations of a GitHub workflow
//!   class_list       the classes of errors, without a log
//! ```
//!
//! The last three of an explanation's forms share `diagnostic`: a message, its place and its notes.

mod causal_path;
mod class_list;
mod diagnostic;
mod error_number;
mod github;
mod json;
mod language;
mod missing_log;
mod report_context;
mod report_format;
mod rustc_json;
mod sarif;
mod source_tree;
mod text;
mod wrap;

pub use class_list::{format_class, format_class_json, list_classes, list_classes_json};
pub use json::PROGRAM_FIELDS;
pub use report_context::{NoContext, ReportContext, SourcePlace};
pub use report_format::{ReportFormat, UnknownFormat, format_report};
pub use source_tree::SourceTree;
