//! A file that is written at the end, and opened at the beginning: nobody samples for an hour to
//! learn that the file cannot be written.

use std::fs::{self, File, TryLockError};
use std::io::{BufWriter, Write as _};
use std::path::PathBuf;

use anyhow::{Context as _, Result, bail};

pub struct OutputFile {
    path: PathBuf,
    file: File,
    /// Nothing is in it yet, and nothing was there before.
    is_empty: bool,
}

impl OutputFile {
    /// What is in the file stays there until `write_all`.
    pub fn open(path: &PathBuf) -> Result<Self> {
        let is_empty = !path.exists();
        let mut options = File::options();
        let file = options.write(true).create(true).truncate(false).open(path);
        let output = Self {
            path: path.clone(),
            file: file.with_context(|| format!("cannot write {}", path.display()))?,
            is_empty,
        };
        // Two options with one file, under any names of it, or two lessons.
        if output.is_file() && matches!(output.file.try_lock(), Err(TryLockError::WouldBlock)) {
            bail!("cannot write {}: it is being written", path.display());
        }
        Ok(output)
    }

    fn is_file(&self) -> bool {
        self.file.metadata().is_ok_and(|about| about.is_file())
    }

    pub fn write_all(
        mut self,
        write: impl FnOnce(&mut BufWriter<&File>) -> Result<()>,
    ) -> Result<()> {
        if self.is_file() {
            self.file.set_len(0).context("cannot empty the file")?;
        }
        self.is_empty = false;
        let mut writer = BufWriter::new(&self.file);
        write(&mut writer)
            .and_then(|()| Ok(writer.flush()?))
            .with_context(|| format!("cannot write {}", self.path.display()))
    }
}

impl Drop for OutputFile {
    fn drop(&mut self) {
        if self.is_empty {
            let _ = fs::remove_file(&self.path);
        }
    }
}
