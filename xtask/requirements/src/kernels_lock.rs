//! `kernels.lock`: which packages of Debian the kernels of each series are, so that everyone who
//! has the same checkout boots the same kernels.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::workspace;
use kernel::{Architecture, SERIES};
use problem::Problem;
use serde::de::{Deserializer, Error as _};
use serde::{Deserialize, Serialize, Serializer};

use crate::apt::Package;
use crate::site;

const HEADER: &str = "\
# The kernels that `cargo xtask setup` installs. `cargo xtask setup --update-kernels` writes this
# file; the checksums are those of the signed package lists.

";

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KernelLock {
    kernel: Vec<LockedKernel>,
}

/// The kernel of a series on one architecture.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct LockedKernel {
    /// Its name in the course, such as "6.12".
    pub series: String,
    #[serde(serialize_with = "write_name", deserialize_with = "read_name")]
    pub architecture: Architecture,
    /// The suite of Debian that has it.
    pub suite: String,
    /// The package of the image. Since 7.2 it is empty, and depends on those with the files.
    pub package: String,
    pub version: String,
    /// The checksum of each package with files of the kernel.
    sha256: BTreeMap<String, String>,
}

impl KernelLock {
    pub fn read_lock() -> Result<Self> {
        Self::read_file(&path())
    }

    fn read_file(path: &Path) -> Result<Self> {
        let cannot = |what: &str, error: &dyn Display| {
            Problem::machine(format!("cannot {what} {}: {error}", path.display()))
                .help("git checkout kernels.lock")
        };
        let text = fs::read_to_string(path).map_err(|error| cannot("read", &error))?;
        Ok(toml::from_str(&text).map_err(|error| cannot("parse", &error))?)
    }

    pub fn write_lock(&self) -> Result<()> {
        let path = path();
        let text = toml::to_string(self).context("cannot write the kernels' versions as TOML")?;
        site::replace_file(&path, format!("{HEADER}{text}").as_bytes())
    }

    /// Fails in a checkout that cannot be written.
    pub fn check_writable() -> Result<()> {
        site::check_replaceable(&path())
    }

    pub fn find_series(&self, series: &str, architecture: Architecture) -> Result<&LockedKernel> {
        let fits =
            |kernel: &&LockedKernel| kernel.series == series && kernel.architecture == architecture;
        let found = self.kernel.iter().find(fits);
        found.ok_or_else(|| unknown_kernel(series).into())
    }

    /// Those of every architecture.
    pub fn kernels_mut(&mut self) -> impl Iterator<Item = &mut LockedKernel> {
        self.kernel.iter_mut()
    }
}

impl LockedKernel {
    /// For people.
    pub fn label(&self) -> String {
        self.architecture.label(&self.series)
    }

    /// The same kernel in another version.
    pub fn moved_to(&self, image: &Package, parts: &[Package]) -> Self {
        let sums = parts
            .iter()
            .map(|part| (part.name.clone(), part.sha256.clone()));
        Self {
            package: image.name.clone(),
            version: image.version.clone(),
            sha256: sums.collect(),
            ..self.clone()
        }
    }

    /// In a line, what became of it.
    pub fn describe_change(&self, new: &Self) -> String {
        let (label, from, to) = (self.label(), &self.version, &new.version);
        if from == to {
            return format!("kernel {label}: other files of {to}");
        }
        format!("kernel {label}: {from} -> {to}")
    }

    pub fn is_package(&self, package: &Package) -> bool {
        (&self.package, &self.version) == (&package.name, &package.version)
    }

    /// Refuses packages that are not those that were locked. apt compares what it downloads with
    /// the checksum in the signed list, which is the one that is compared here.
    pub fn check_sums(&self, parts: &[Package]) -> Result<(), Problem> {
        match self.find_difference(parts) {
            None => Ok(()),
            Some(difference) => Err(Problem::machine(difference)
                .help("to take the archive's: cargo xtask setup --update-kernels")),
        }
    }

    fn find_difference(&self, parts: &[Package]) -> Option<String> {
        let (suite, label) = (&self.suite, self.label());
        if self.sha256.is_empty() {
            return Some(format!("kernels.lock has no checksum for kernel {label}"));
        }
        for Package {
            name,
            version,
            sha256,
            ..
        } in parts
        {
            if self.sha256.get(name) != Some(sha256) {
                return Some(format!(
                    "Debian {suite} has another file as {name} {version} than kernels.lock: its \
                     checksum is {sha256}"
                ));
            }
        }
        let is_offered = |name: &String| parts.iter().any(|part| part.name == *name);
        let missing = self.sha256.keys().find(|name| !is_offered(name))?;
        Some(format!(
            "kernels.lock wants {missing} for kernel {label}, which Debian {suite} does not have"
        ))
    }
}

fn write_name<S: Serializer>(value: &Architecture, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(value.name())
}

fn read_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Architecture, D::Error> {
    let name = String::deserialize(deserializer)?;
    name.parse().map_err(D::Error::custom)
}

pub fn unknown_kernel(series: &str) -> Problem {
    Problem::usage(format!("the course has no kernel '{series}'"))
        .help(format!("it has {}", SERIES.join(", ")))
}

fn path() -> PathBuf {
    workspace::workspace_root().join("kernels.lock")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(sum: &str) -> Package {
        Package {
            name: "linux-image-6.12".to_owned(),
            version: "6.12.1-1".to_owned(),
            sha256: sum.to_owned(),
            ..Package::default()
        }
    }

    #[test]
    fn every_series_is_locked_with_its_checksums() {
        let lock = KernelLock::read_lock().unwrap();
        for architecture in Architecture::ALL {
            let locked = lock.kernel.iter();
            let locked = locked.filter(|it| it.architecture == architecture);
            let series: Vec<&str> = locked.map(|it| it.series.as_str()).collect();
            assert_eq!(series, SERIES, "{architecture}");
            for name in SERIES {
                let sums = &lock.find_series(name, architecture).unwrap().sha256;
                assert!(!sums.is_empty(), "{name}");
                let is_sum =
                    |sum: &String| sum.len() == 64 && sum.bytes().all(|c| c.is_ascii_hexdigit());
                assert!(sums.values().all(is_sum), "{name}: {sums:?}");
            }
        }
        let error = lock.find_series("4.19", Architecture::HOST).unwrap_err();
        let error = error.to_string();
        assert!(error.contains("no kernel '4.19'"), "{error}");
    }

    #[test]
    fn what_is_written_is_read_again() {
        let lock = KernelLock::read_lock().unwrap();
        let text = fs::read_to_string(path()).unwrap();
        assert_eq!(format!("{HEADER}{}", toml::to_string(&lock).unwrap()), text);
    }

    #[test]
    fn another_file_under_the_locked_name_is_refused() {
        let locked = KernelLock::read_lock()
            .unwrap()
            .find_series("6.12", Architecture::HOST)
            .unwrap()
            .clone();
        let locked = locked.moved_to(&package("right"), &[package("right")]);
        assert!(locked.is_package(&package("any")));
        locked.check_sums(&[package("right")]).unwrap();
        let error = locked.check_sums(&[package("wrong")]).unwrap_err();
        assert!(
            error.to_string().contains("its checksum is wrong"),
            "{error}"
        );
        let more = Package {
            name: "linux-modules-6.12".to_owned(),
            ..package("right")
        };
        let both = [package("right"), more];
        assert!(locked.check_sums(&both).is_err());

        let whole = locked.moved_to(&package("right"), &both);
        whole.check_sums(&both).unwrap();
        let error = whole.check_sums(&both[..1]).unwrap_err().to_string();
        assert!(error.contains("wants linux-modules-6.12"), "{error}");
        let empty = locked.moved_to(&package("right"), &[]);
        let error = empty.check_sums(&[]).unwrap_err().to_string();
        assert!(error.contains("no checksum for kernel 6.12"), "{error}");
    }

    #[test]
    fn a_lock_that_is_gone_says_how_to_get_it_back() {
        let error = KernelLock::read_file(Path::new("/nowhere/kernels.lock")).unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert!(
            problem
                .to_string()
                .contains("cannot read /nowhere/kernels.lock")
        );
        assert_eq!(problem.help_lines(), ["git checkout kernels.lock"]);
    }

    #[test]
    fn a_lock_with_conflicts_says_how_to_get_it_back() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("kernels.lock");
        fs::write(&path, "<<<<<<< HEAD\n").unwrap();
        let error = KernelLock::read_file(&path).unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert!(
            problem.to_string().starts_with("cannot parse "),
            "{problem}"
        );
        assert_eq!(problem.help_lines(), ["git checkout kernels.lock"]);
    }
}
