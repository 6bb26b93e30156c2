//! What tests and VMs tell the test command through files.

use std::fs::{self, File};
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

/// Names the file to which tests append a line for each thing that they skip.
const SKIPS: &str = "XTASK_TEST_SKIPS";

/// The files, which are gone with this value.
pub struct Records {
    directory: TempDir,
}

impl Records {
    pub fn create() -> Result<Self> {
        let directory = tempfile::tempdir().context("cannot create a temporary directory")?;
        let records = Self { directory };
        File::create(records.skips()).context("cannot create a temporary file")?;
        Ok(records)
    }

    fn skips(&self) -> PathBuf {
        self.directory.path().join("skips")
    }

    /// Lets a program, and the tests in it, say what they skip.
    pub fn set_skips(&self, command: &mut Command) {
        command.env(SKIPS, self.skips());
    }

    /// What tests did not do, a line each, and why.
    pub fn read_skips(&self) -> Result<Vec<String>> {
        let text = fs::read_to_string(self.skips())
            .with_context(|| format!("cannot read {}", self.skips().display()))?;
        Ok(text.lines().map(str::to_owned).collect())
    }

    /// An empty file for the costs of the VMs that a part starts.
    pub fn new_vm_file(&self, part: &str) -> Result<PathBuf> {
        let file = self
            .directory
            .path()
            .join(format!("vms-{}", part.replace('/', "-")));
        File::create(&file).context("cannot create a temporary file")?;
        Ok(file)
    }
}
