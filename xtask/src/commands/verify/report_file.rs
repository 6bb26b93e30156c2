//! A report for a pipeline, in a file.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

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

impl ReportForm {
    pub fn format_report(
        self,
        verdicts: &[KernelVerdict],
        results: &[KernelResult],
    ) -> Result<Vec<u8>> {
        match self {
            Self::Junit => junit::as_junit(verdicts, results),
            Self::Markdown => Ok(markdown::as_markdown(verdicts, results).into_bytes()),
        }
    }
}

impl ReportFile {
    /// Before minutes are spent on what could not be written then. What is there stays as it is.
    pub fn check_writable(&self) -> Result<(), Problem> {
        let is_new = !self.path.exists();
        let opened = File::options().create(true).append(true).open(&self.path);
        let checked = opened.and_then(|_| match is_new {
            true => fs::remove_file(&self.path),
            false => Ok(()),
        });
        checked.map_err(|error| self.problem(&error))
    }

    pub fn write_report(&self, verdicts: &[KernelVerdict], results: &[KernelResult]) -> Result<()> {
        let bytes = self.form.format_report(verdicts, results)?;
        Ok(replace_file(&self.path, &bytes).map_err(|error| self.problem(&error))?)
    }

    fn problem(&self, error: &std::io::Error) -> Problem {
        Problem::usage(format!("cannot write {}: {error}", self.path.display()))
            .help("name a file in a directory that exists and that you may write to")
    }
}

/// On a full disk the old file stays, never half of a new one. A device or a pipe is written to.
fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    // A link stays, and leads to the new file.
    let real = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let old = fs::metadata(&real).ok();
    let is_special = old.as_ref().is_some_and(|about| !about.is_file());
    let new = match real.file_name() {
        Some(name) if !is_special => {
            let mut new = name.to_owned();
            new.push(format!(".{}.new", std::process::id()));
            real.with_file_name(new)
        }
        _ => return fs::write(path, bytes),
    };
    let written = File::create_new(&new).and_then(|mut file| {
        if let Some(old) = &old {
            file.set_permissions(old.permissions())?;
        }
        file.write_all(bytes)
    });
    let replaced = written.and_then(|()| fs::rename(&new, &real));
    if replaced.is_err() {
        // It may not even be there, and the first error is the one to tell.
        let _ = fs::remove_file(&new);
    }
    replaced
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use super::*;

    #[test]
    fn a_report_is_whole_or_as_before() {
        let directory = tempfile::tempdir().unwrap();
        let (path, link) = (
            directory.path().join("report"),
            directory.path().join("link"),
        );
        replace_file(&path, b"old").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        symlink(&path, &link).unwrap();
        replace_file(&link, b"new").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"new");
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o777,
            0o640
        );
        assert!(link.is_symlink());
        // A directory of that name cannot be replaced by a file.
        fs::create_dir(directory.path().join("in-the-way")).unwrap();
        assert!(replace_file(&directory.path().join("in-the-way"), b"x").is_err());
        assert!(replace_file(Path::new("/dev/full"), b"x").is_err());
        replace_file(Path::new("/dev/null"), b"x").unwrap();
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 3);
    }

    #[test]
    fn a_check_leaves_no_file() {
        let directory = tempfile::tempdir().unwrap();
        let report = |name: &str| ReportFile {
            form: ReportForm::Junit,
            path: directory.path().join(name),
        };
        report("new").check_writable().unwrap();
        assert!(!report("new").path.exists());
        fs::write(report("old").path, "text").unwrap();
        report("old").check_writable().unwrap();
        assert_eq!(fs::read(report("old").path).unwrap(), b"text");
        assert!(report("no/such").check_writable().is_err());
    }
}
