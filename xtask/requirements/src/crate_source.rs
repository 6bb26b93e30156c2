//! The sources that set-up builds programs from: crates of the registry.
//!
//! Cargo compares a download with the checksum in the registry's index. A mirror or a proxy that
//! offers another crate has another index too, so the checksum is compared with ours before any of
//! its code runs. It proves the dependencies as well: their checksums are in the crate's
//! `Cargo.lock`, to which `--locked` holds cargo.

use std::path::{Path, PathBuf};

use anyhow::Result;
use checkout::environment;
use problem::Problem;

use crate::site::SetupSite;
use crate::step::SetupStep;
use crate::{command, outside_cargo, record};

/// A program that is built from source, in the version that the course is tested with.
pub struct CrateSource {
    pub name: &'static str,
    pub version: &'static str,
    pub sha256: &'static str,
}

impl CrateSource {
    /// As cargo's commands take it.
    pub fn spec(&self) -> String {
        format!("{}@{}", self.name, self.version)
    }

    /// Downloads the source, and nothing else, and refuses another one than the course's.
    pub fn fetch_crate(&self, site: &SetupSite, sysroot: &Path, step: &SetupStep) -> Result<()> {
        let mut cargo = outside_cargo::cargo_outside(sysroot);
        cargo.args(["info", "--registry", "crates-io", &self.spec()]);
        let what = format!("fetch the source of {} {}", self.name, self.version);
        let log = site.log_path("crate");
        command::run_to_success(&mut cargo, &what, &log, || {
            step.show_last_line(&log);
        })?;
        let home = environment::cargo_home();
        let files = home.map_or_else(Vec::new, |home| self.find_files(&home));
        if files.is_empty() {
            // In a directory of vendored sources, which is the user's own.
            step.show_line("cargo keeps no packed source, so its checksum is not compared");
        }
        for file in &files {
            self.check_file(file)?;
        }
        Ok(())
    }

    /// Where cargo keeps it; in one directory for each registry.
    fn find_files(&self, home: &Path) -> Vec<PathBuf> {
        let registries = home.join("registry/cache").read_dir();
        let registries = registries.into_iter().flatten().flatten();
        registries
            .map(|registry| registry.path().join(self.file_name()))
            .filter(|file| file.is_file())
            .collect()
    }

    fn file_name(&self) -> String {
        format!("{}-{}.crate", self.name, self.version)
    }

    fn check_file(&self, file: &Path) -> Result<()> {
        let sum = record::sum_file(file)?;
        if sum == self.sha256 {
            return Ok(());
        }
        let file = file.display();
        let unpacked = file
            .to_string()
            .replace("/registry/cache/", "/registry/src/");
        let unpacked = unpacked.trim_end_matches(".crate");
        Err(Problem::machine(format!(
            "{file} is not the source of {} {} that the course was tested with: its checksum is \
             {sum}, not {}",
            self.name, self.version, self.sha256
        ))
        .help(format!(
            "to fetch it again: rm -r {file} {unpacked}; cargo xtask setup"
        ))
        .help("if it stays so, a mirror or a proxy offers another one: ask whoever runs it")
        .into())
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    const SOURCE: CrateSource = CrateSource {
        name: "tool",
        version: "1.2.3",
        sha256: "b5bb9d8014a0f9b1d61e21e796d78dccdf1352f23cd32812f4850b878ae4944c",
    };

    #[test]
    fn only_the_source_with_our_checksum_is_taken() {
        let home = tempfile::tempdir().unwrap();
        assert!(SOURCE.find_files(home.path()).is_empty());
        let registry = home.path().join("registry/cache/index-1");
        fs::create_dir_all(&registry).unwrap();
        fs::write(registry.join("tool-1.2.4.crate"), "newer").unwrap();
        let file = registry.join("tool-1.2.3.crate");
        fs::write(&file, "foo\n").unwrap();
        assert_eq!(SOURCE.find_files(home.path()), std::slice::from_ref(&file));
        SOURCE.check_file(&file).unwrap();

        fs::write(&file, "fop\n").unwrap();
        let error = SOURCE.check_file(&file).unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert!(
            problem.to_string().contains("its checksum is "),
            "{problem}"
        );
        let help = &problem.help_lines()[0];
        let unpacked = home.path().join("registry/src/index-1/tool-1.2.3");
        assert!(
            help.contains(&format!(" {}; ", unpacked.display())),
            "{help}"
        );
    }
}
