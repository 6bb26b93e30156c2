//! A report for a pipeline, in a file.

use std::fs::{self, File};
use std::path::PathBuf;

use anyhow::Result;
use problem::Problem;

use super::kernel_result::KernelResult;
use super::kernel_verdict::KernelVerdict;
use super::{junit, markdown};

#[derive(Clone, Debug)]
pub struct ReportFile {
    pub form: ReportForm,
    pub path: PathBuf,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ReportForm {
    Junit,
    Markdown,
}

impl ReportFile {
    /// Before minutes are spent on what could not be written then. What is in the file stays.
    pub fn check_writable(&self) -> Result<(), Problem> {
        let opened = File::options().create(true).append(true).open(&self.path);
        opened.map(drop).map_err(|error| self.problem(&error))
    }

    pub fn write_report(&self, verdicts: &[KernelVerdict], results: &[KernelResult]) -> Result<()> {
        let bytes = match self.form {
            ReportForm::Junit => junit::as_junit(verdicts, results)?,
            ReportForm::Markdown => markdown::as_markdown(verdicts, results).into_bytes(),
        };
        Ok(fs::write(&self.path, bytes).map_err(|error| self.problem(&error))?)
    }

    fn problem(&self, error: &std::io::Error) -> Problem {
        Problem::usage(format!("cannot write {}: {error}", self.path.display()))
            .help("name a file in a directory that exists and that you may write to")
    }
}
