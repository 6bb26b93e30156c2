//! What to explain, and how the answer is written.

use std::path::PathBuf;

use bpf_verifier_log::report::ReportFormat;

use super::cost::CostOptions;

/// What to explain.
pub struct ExplainOptions {
    pub subject: Subject,
    pub format: ReportFormat,
}

pub enum Subject {
    /// A class of errors, by its name; `all` lists them.
    Class(String),
    /// The answer that the verifier rejected at the last check.
    LastRejection,
    /// The lines of an object file that no kernel accepts.
    Object(PathBuf),
    /// A log, and what its object file tells about it.
    Log {
        /// `-` is standard input.
        file: PathBuf,
        object: Option<PathBuf>,
    },
    /// What verification cost.
    Cost(CostOptions),
    /// What changed of that from one log to another.
    Comparison { old: PathBuf, new: PathBuf },
}
