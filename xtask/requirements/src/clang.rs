//! The clang that compiles eBPF programs in C.

use std::path::{Path, PathBuf};

use anyhow::Result;
use problem::Problem;
use processes::child;

use crate::links;
use crate::part::Part;
use crate::requirement::Requirement;
use crate::site::SetupSite;

const NAME: &str = "clang";
/// Newest first: the course is tested with it. Versions before 14 cannot do what CO-RE needs.
const NEWEST: u32 = 22;
const OLDEST: u32 = 14;

/// A clang for eBPF, where the build scripts find it.
pub struct Clang;

impl Requirement for Clang {
    fn name(&self) -> String {
        "clang".to_owned()
    }

    fn is_met(&self) -> bool {
        is_there()
    }

    fn parts(&self) -> &'static [Part] {
        &[Part::Clang]
    }

    fn meet(&self, _site: &SetupSite) -> Result<()> {
        link_newest()
    }
}

/// A clang that the user named; cargo's own default, the link, does not count.
fn named() -> Option<PathBuf> {
    std::env::var_os("CLANG")
        .map(PathBuf::from)
        .filter(|path| !path.as_os_str().is_empty() && *path != links::link_path(NAME))
}

/// The clang to call, once [`is_there`] holds.
pub fn clang_program() -> PathBuf {
    named().unwrap_or_else(|| links::link_path(NAME))
}

pub fn is_there() -> bool {
    match named() {
        Some(path) if path.components().count() > 1 => child::is_executable(&path),
        Some(name) => child::find_program(&name.to_string_lossy()).is_some(),
        None => links::link_works(NAME),
    }
}

/// Links the best clang of this machine.
fn link_newest() -> Result<()> {
    if let Some(path) = named() {
        return Err(Problem::machine(format!(
            "CLANG names {}, which is not a program",
            path.display()
        ))
        .help("unset CLANG   (or name a clang of version 14 or later)")
        .into());
    }
    let clang = find_clang().ok_or_else(|| {
        Problem::machine("this machine has no clang for eBPF").help("cargo xtask setup")
    })?;
    links::set_link(NAME, &clang)
}

/// The newest clang in PATH that can compile for eBPF.
pub fn find_clang() -> Option<PathBuf> {
    let names = (OLDEST..=NEWEST)
        .rev()
        .map(|major| format!("clang-{major}"))
        .chain([NAME.to_owned()]);
    names
        .filter_map(|name| child::find_program(&name))
        .find(|clang| fits(clang))
}

/// The clang in use.
pub fn clang_in_use() -> Option<PathBuf> {
    named().or_else(|| links::link_path(NAME).canonicalize().ok())
}

fn fits(clang: &Path) -> bool {
    let targets = child::ask_program(clang, &["--print-targets"]).unwrap_or_default();
    read_clang_version(clang)
        .and_then(|version| major(&version))
        .is_some_and(|major| major >= OLDEST)
        && targets
            .lines()
            .any(|line| line.split_whitespace().next() == Some("bpf"))
}

pub fn read_clang_version(clang: &Path) -> Option<String> {
    version_in(&child::ask_program(clang, &["--version"])?)
}

fn version_in(text: &str) -> Option<String> {
    let rest = text.lines().next()?.split_once("clang version ")?.1;
    Some(rest.split([' ', '(', '-']).next()?.to_owned())
}

fn major(version: &str) -> Option<u32> {
    version.split('.').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_whatever_the_vendor_adds() {
        for (text, version) in [
            ("Debian clang version 14.0.6\nTarget: x86_64", "14.0.6"),
            ("Ubuntu clang version 18.1.3 (1ubuntu1)", "18.1.3"),
            ("clang version 20.1.8 (Fedora 20.1.8-1.fc42)", "20.1.8"),
            ("Debian clang version 22.1.0-rc1 (x)", "22.1.0"),
        ] {
            assert_eq!(version_in(text).as_deref(), Some(version));
        }
        assert_eq!(version_in("Apple LLVM"), None);
        assert_eq!(major("14.0.6"), Some(14));
    }
}
