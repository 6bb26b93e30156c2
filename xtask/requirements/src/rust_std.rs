//! Rust's standard library for the programs of a guest of another architecture.

use anyhow::{Context, Result};
use checkout::toolchain;
use kernel::Architecture;

use crate::links;
use crate::requirement::Requirement;
use crate::rustup;
use crate::site::SetupSite;

pub struct RustStd {
    pub architecture: Architecture,
}

impl Requirement for RustStd {
    fn name(&self) -> String {
        format!("rust-std for {}", self.architecture)
    }

    fn is_met(&self) -> bool {
        is_there(self.architecture) || is_built_from_source(self.architecture)
    }

    fn bytes(&self) -> u64 {
        250_000_000
    }

    fn plan(&self) -> Option<String> {
        let target = self.architecture.rust_target();
        Some(format!(
            "rustup target add {target} (30 MB), else each build makes it from rust-src"
        ))
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        install_target(site, self.architecture)
    }
}

/// Whether the toolchain has it.
pub fn is_there(architecture: Architecture) -> bool {
    toolchain::find_sysroot().is_ok_and(|sysroot| {
        sysroot
            .join("lib/rustlib")
            .join(architecture.rust_target())
            .join("lib")
            .is_dir()
    })
}

/// What is noted where rustup could not add it: a toolchain that was updated since is asked again.
fn circumstances() -> Option<String> {
    let sysroot = toolchain::find_sysroot().ok()?;
    let version = toolchain::read_rustc_version(&sysroot)?;
    Some(format!("{} {version}\n", sysroot.display()))
}

fn note_name(architecture: Architecture) -> String {
    format!("rust-std-{architecture}")
}

fn is_built_from_source(architecture: Architecture) -> bool {
    let noted = links::read_circumstances(&note_name(architecture));
    noted.is_some() && noted == circumstances()
}

fn install_target(site: &SetupSite, architecture: Architecture) -> Result<()> {
    let target = architecture.rust_target();
    let step = site.start_step("rust-std", &format!("asking rustup for {target}"));
    if rustup::add_to_toolchain(site, ["target", "add", target])? && is_there(architecture) {
        step.report_done("added by rustup");
        return Ok(());
    }
    let found = circumstances().context("cannot ask rustc for its version")?;
    links::note_circumstances(&note_name(architecture), &found)?;
    step.report_done("rustup cannot add it: builds make it from rust-src");
    Ok(())
}
