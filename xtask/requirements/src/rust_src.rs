//! The standard library's source, from which `core` is built for eBPF.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use checkout::toolchain;
use kernel::Architecture;
use problem::Problem;

use crate::apt::{Package, Suite};
use crate::command;
use crate::fault;
use crate::requirement::Requirement;
use crate::rustup;
use crate::site::{self, SetupSite};

/// The suites that have a recent Rust; each keeps several versions.
const SUITES: [&str; 2] = ["trixie-backports", "sid"];

/// The source of `core`, to build it for eBPF.
pub struct RustSrc;

impl Requirement for RustSrc {
    fn name(&self) -> String {
        "rust-src".to_owned()
    }

    fn is_met(&self) -> bool {
        is_there()
    }

    fn bytes(&self) -> u64 {
        450_000_000
    }

    fn plan(&self) -> Option<String> {
        Some("rustup component add rust-src (3 MB), else Debian's package (45 MB)".to_owned())
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        install_source(site)
    }
}

pub fn is_there() -> bool {
    toolchain::find_sysroot().is_ok_and(|sysroot| {
        rust_src_path(&sysroot)
            .join("library/core/src/lib.rs")
            .is_file()
    })
}

/// Where cargo's `-Z build-std` looks, with `library/` below.
pub fn rust_src_path(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust")
}

/// rustup's component first. Where rustup cannot have it (no way to its server, a toolchain it does
/// not manage), Debian's package of the same version.
fn install_source(site: &SetupSite) -> Result<()> {
    let sysroot = toolchain::find_sysroot()?;
    let step = site.start_step(
        "rust-src",
        "asking rustup for the standard library's source",
    );
    if rustup::add_to_toolchain(site, ["component", "add", "rust-src"])? && is_there() {
        step.report_done("added by rustup");
        return Ok(());
    }
    let version =
        toolchain::read_rustc_version(&sysroot).context("cannot ask rustc for its version")?;
    step.show_line(&format!(
        "rustup cannot add it; looking for Debian's package of Rust {version}"
    ));
    may_write(&sysroot)?;
    let (suite, package) = find(site, &version)?;
    let unpacked = site.create_stage("unpacked")?;
    suite.unpack_packages(site, &[package], &unpacked, &step)?;
    let library = unpacked.join(format!("usr/src/rustc-{version}/library"));
    step.show_progress("moving it into the toolchain");
    let log = site.log_path("cp");
    put(&library, &rust_src_path(&sysroot), &log)?;
    step.report_done(&format!("put into {}", rust_src_path(&sysroot).display()));
    Ok(())
}

fn may_write(sysroot: &Path) -> Result<()> {
    let directory = rust_src_path(sysroot);
    site::create_directory(&directory).map_err(|_| {
        Problem::machine(format!(
            "rust-src is missing, and there is no right to write into {}",
            directory.display()
        ))
        .help("ask whoever owns the toolchain to type: rustup component add rust-src")
        .help("or install your own toolchain with rustup: https://rustup.rs")
        .into()
    })
}

fn find(site: &SetupSite, version: &str) -> Result<(Suite, Package)> {
    let wanted = format!("{version}+");
    for name in SUITES {
        let suite = Suite::open(site, name, Architecture::HOST)?;
        let found = suite
            .show_packages(&["rust-src"])?
            .into_iter()
            .find(|package| package.version.starts_with(&wanted));
        if let Some(package) = found {
            return Ok((suite, package));
        }
    }
    Err(Problem::machine(format!(
        "rust-src is missing: neither rustup nor Debian offers that of Rust {version}"
    ))
    .help("rustup component add rust-src")
    .into())
}

/// The toolchain may be on another disk, so it is copied beside its place first and then renamed.
/// Set-ups of other checkouts may be at the same: each has its own cache, and one toolchain.
fn put(library: &Path, place: &Path, log: &Path) -> Result<()> {
    let busy = |error| fault::io_problem(format!("lock {}", place.display()), &error);
    let lock = File::open(place).map_err(busy)?;
    lock.lock().map_err(busy)?;
    let partial = place.join("library.partial");
    site::remove_path(&partial)?;
    let mut copy = Command::new("cp");
    copy.args(["-r", "--"]).arg(library).arg(&partial);
    let what = format!("copy rust-src into {}", place.display());
    let copied = command::run_to_success(&mut copy, &what, log, || {});
    if let Err(error) = copied {
        site::remove_path(&partial)?;
        return Err(error);
    }
    let library = place.join("library");
    // A dangling link, say, of an earlier attempt by hand.
    site::remove_path(&library)?;
    std::fs::rename(&partial, &library)
        .map_err(|error| fault::io_problem(format!("create {}", library.display()), &error).into())
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::thread;

    use super::*;

    /// Two checkouts with one toolchain.
    #[test]
    fn two_set_ups_at_once_put_the_same_source_whole() {
        let directory = tempfile::tempdir().unwrap();
        let (library, place) = (directory.path().join("new"), directory.path().join("rust"));
        fs::create_dir_all(&place).unwrap();
        for name in ["alloc", "core", "std"] {
            let sources = library.join(name).join("src");
            fs::create_dir_all(&sources).unwrap();
            for number in 0..200 {
                fs::write(sources.join(format!("{number}.rs")), "// Source.\n").unwrap();
            }
        }
        thread::scope(|scope| {
            for number in 0..4 {
                let log = directory.path().join(format!("log {number}"));
                let (library, place) = (&library, &place);
                scope.spawn(move || put(library, place, &log).unwrap());
            }
        });
        let names = |path: &Path| {
            let entries = path.read_dir().unwrap();
            let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
            names.sort();
            names
        };
        assert_eq!(names(&place), ["library"]);
        assert_eq!(names(&place.join("library")), ["alloc", "core", "std"]);
    }
}
