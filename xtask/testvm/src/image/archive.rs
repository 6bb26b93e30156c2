//! A cpio archive in the format that the kernel unpacks at boot.

use std::collections::BTreeSet;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use cpio::newc::{Builder, trailer};

const DIRECTORY: u32 = 0o040_000;
const FILE: u32 = 0o100_000;
const LINK: u32 = 0o120_000;

/// Files, directories and links, in the order in which the kernel will create them.
#[derive(Default)]
pub struct Archive {
    bytes: Vec<u8>,
    present: BTreeSet<PathBuf>,
    directories: BTreeSet<PathBuf>,
}

impl Archive {
    pub fn contains_path(&self, path: impl AsRef<Path>) -> bool {
        self.present.contains(path.as_ref())
    }

    /// Counts a path as present without adding it: the guest has it.
    pub fn leave_out(&mut self, path: PathBuf) {
        self.present.insert(path);
    }

    /// Adds a directory and its parents. Adding it twice is fine.
    pub fn add_directory(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        if path.as_os_str().is_empty() || self.directories.contains(path) {
            return Ok(());
        }
        if self.contains_path(path) {
            bail!("/{} is no directory in the guest", path.display());
        }
        self.parents(path)?;
        self.directories.insert(path.to_owned());
        self.entry(path, DIRECTORY | 0o755, &[])
    }

    pub fn add_file(
        &mut self,
        path: impl AsRef<Path>,
        permissions: u32,
        contents: &[u8],
    ) -> Result<()> {
        self.parents(path.as_ref())?;
        self.entry(path.as_ref(), FILE | permissions, contents)
    }

    pub fn add_link(&mut self, path: impl AsRef<Path>, target: &Path) -> Result<()> {
        self.parents(path.as_ref())?;
        self.entry(path.as_ref(), LINK | 0o777, target.as_os_str().as_bytes())
    }

    /// The finished archive.
    pub fn finish_archive(self) -> Result<Vec<u8>> {
        trailer(self.bytes).context("cannot end the archive")
    }

    /// The kernel creates no missing directories; a file without its directory would silently not
    /// be there.
    fn parents(&mut self, path: &Path) -> Result<()> {
        path.parent()
            .map_or(Ok(()), |parent| self.add_directory(parent))
    }

    fn entry(&mut self, path: &Path, mode: u32, contents: &[u8]) -> Result<()> {
        let Some(name) = path.to_str() else {
            bail!("{} is not UTF-8", path.display())
        };
        let size = u32::try_from(contents.len()).with_context(|| format!("{name} is too large"))?;
        let number = u32::try_from(self.present.len())?;
        let mut entry = Builder::new(name)
            .ino(number)
            .mode(mode)
            .nlink(1)
            .write(&mut self.bytes, size);
        entry
            .write_all(contents)
            .with_context(|| format!("cannot add {name}"))?;
        entry
            .finish()
            .with_context(|| format!("cannot add {name}"))?;
        self.present.insert(path.to_owned());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_before_what_lies_in_them_and_once() {
        let mut archive = Archive::default();
        archive
            .add_file("lib/x86_64/libelf.so.1", 0o755, b"elf")
            .unwrap();
        archive
            .add_file("lib/x86_64/libz.so.1", 0o755, b"z")
            .unwrap();
        archive.add_link("bin/sh", Path::new("busybox")).unwrap();
        let bytes = archive.finish_archive().unwrap();
        let names: Vec<_> = names(&bytes);
        assert_eq!(
            names,
            [
                "lib",
                "lib/x86_64",
                "lib/x86_64/libelf.so.1",
                "lib/x86_64/libz.so.1",
                "bin",
                "bin/sh"
            ]
        );
    }

    #[test]
    fn nothing_can_lie_in_a_file_or_a_link() {
        let mut archive = Archive::default();
        archive.add_file("etc", 0o644, b"").unwrap();
        archive.add_link("lib", Path::new("usr/lib")).unwrap();
        for path in ["etc/hosts", "lib/libz.so.1"] {
            let error = archive.add_file(path, 0o644, b"").unwrap_err();
            assert!(error.to_string().contains("is no directory"), "{error}");
        }
    }

    fn names(mut bytes: &[u8]) -> Vec<String> {
        let mut names = Vec::new();
        loop {
            let reader = cpio::newc::Reader::new(bytes).unwrap();
            if reader.entry().is_trailer() {
                return names;
            }
            names.push(reader.entry().name().to_owned());
            bytes = reader.finish().unwrap();
        }
    }
}
