//! The standard library's source, from which `core` is built for eBPF.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::apt::{Package, Suite};
use super::say::Step;
use super::site::{self, Site};
use super::{child, fault, toolchain};
use crate::problem::Problem;
use crate::workspace;

/// The suites that have a recent Rust; each keeps several versions.
const SUITES: [&str; 2] = ["trixie-backports", "sid"];

pub fn is_there() -> bool {
    toolchain::sysroot()
        .is_ok_and(|sysroot| place(&sysroot).join("library/core/src/lib.rs").is_file())
}

/// Where cargo's `-Z build-std` looks, with `library/` below.
pub fn place(sysroot: &Path) -> PathBuf {
    sysroot.join("lib/rustlib/src/rust")
}

/// rustup's component first. Where rustup cannot have it (no way to its server, a toolchain it does
/// not manage), Debian's package of the same version.
pub fn install(site: &Site) -> Result<()> {
    let sysroot = toolchain::sysroot()?;
    let step = Step::start(
        "rust-src",
        "asking rustup for the standard library's source",
    );
    if from_rustup(site)? && is_there() {
        step.done("added by rustup");
        return Ok(());
    }
    let version = toolchain::version(&sysroot).context("failed to ask rustc for its version")?;
    step.line(&format!(
        "rustup cannot add it; looking for Debian's package of Rust {version}"
    ));
    may_write(&sysroot)?;
    let (suite, package) = find(site, &version)?;
    let unpacked = site.stage("unpacked")?;
    suite.unpack(site, &[package], &unpacked, &step)?;
    let library = unpacked.join(format!("usr/src/rustc-{version}/library"));
    step.progress("moving it into the toolchain");
    put(site, &library, &place(&sysroot))?;
    step.done(&format!("put into {}", place(&sysroot).display()));
    Ok(())
}

fn from_rustup(site: &Site) -> Result<bool> {
    const LIMIT: Duration = Duration::from_secs(120);
    if child::find("rustup").is_none() {
        return Ok(false);
    }
    let mut rustup = Command::new("rustup");
    rustup
        .args(["component", "add", "rust-src"])
        .current_dir(workspace::root());
    if let Some(name) = toolchain::chosen_name() {
        rustup.env("RUSTUP_TOOLCHAIN", name);
    }
    rustup
        .env_remove("RUST_BACKTRACE")
        .env("RUSTUP_MAX_RETRIES", "1");
    Ok(child::run(&mut rustup, &site.log("rustup"), LIMIT, || {})?.success())
}

fn may_write(sysroot: &Path) -> Result<()> {
    let folder = place(sysroot);
    site::make(&folder).map_err(|_| {
        Problem::machine(format!(
            "rust-src is missing, and there is no right to write into {}",
            folder.display()
        ))
        .help("ask whoever owns the toolchain to type: rustup component add rust-src")
        .help("or install a toolchain of your own with rustup, as https://rustup.rs tells")
        .into()
    })
}

fn find(site: &Site, version: &str) -> Result<(Suite, Package)> {
    let wanted = format!("{version}+");
    for name in SUITES {
        let suite = Suite::open(site, name)?;
        let found = suite
            .show(&["rust-src"])?
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
fn put(site: &Site, library: &Path, place: &Path) -> Result<()> {
    let partial = place.join("library.partial");
    site::remove(&partial)?;
    let mut copy = Command::new("cp");
    copy.args(["-r", "--"]).arg(library).arg(&partial);
    let copied = child::succeed(
        &mut copy,
        &format!("copy rust-src into {}", place.display()),
        &site.log("cp"),
        || {},
    );
    if let Err(error) = copied {
        site::remove(&partial)?;
        return Err(error);
    }
    let library = place.join("library");
    // A dangling link, say, of an earlier attempt by hand.
    site::remove(&library)?;
    std::fs::rename(&partial, &library)
        .map_err(|error| fault::io(format!("create {}", library.display()), &error).into())
}
