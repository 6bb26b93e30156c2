//! bpf-linker, which turns rustc's LLVM bitcode into an eBPF object.
//!
//! It must have the LLVM version that rustc has. The surest way to that is rustc's own LLVM
//! library, which every toolchain of rustup's carries: bpf-linker is built against it, and no LLVM
//! of the system's is needed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};
use checkout::{toolchain, workspace};
use problem::Problem;
use processes::child;

use crate::command;
use crate::requirement::Requirement;
use crate::site::{self, SetupSite};
use crate::step::{SetupStep, format_megabytes};
use crate::{fault, links, outside_cargo, record};

const VERSION: &str = "0.13.0";
const NAME: &str = "bpf-linker";
const TARGET: &str = "x86_64-unknown-linux-gnu";

/// The smallest library there is: enough to see whether the linker reads this rustc's bitcode.
const PROBE: &str = "#![feature(no_core)]\n#![no_core]\n#![crate_type = \"lib\"]\n";

/// A bpf-linker that reads the bitcode of this toolchain.
pub struct BpfLinker;

impl Requirement for BpfLinker {
    fn name(&self) -> String {
        "bpf-linker".to_owned()
    }

    fn is_met(&self) -> bool {
        is_there()
    }

    fn bytes(&self) -> u64 {
        350_000_000
    }

    fn plan(&self) -> Option<String> {
        Some(format!(
            "build version {VERSION} into the cache: about a minute, 7 MB"
        ))
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        install_linker(site)
    }
}

/// Present, and tried with this toolchain.
pub fn is_there() -> bool {
    links::link_works(NAME)
        && toolchain::find_sysroot()
            .is_ok_and(|sysroot| links::is_noted(NAME, &circumstances(&sysroot)))
}

/// The toolchain whose bitcode it read.
fn circumstances(sysroot: &Path) -> String {
    format!("{}\n", sysroot.display())
}

fn directory() -> PathBuf {
    workspace::cache_directory().join(NAME)
}

/// Where the linker in use really is.
pub fn linker_in_use() -> Option<PathBuf> {
    links::link_path(NAME).canonicalize().ok()
}

/// "0.13.0", asked of the linker.
pub fn read_linker_version(linker: &Path) -> String {
    let text = child::ask_program(linker, &["--version"]).unwrap_or_default();
    text.split_whitespace()
        .nth(1)
        .unwrap_or("unknown version")
        .to_owned()
}

fn install_linker(site: &SetupSite) -> Result<()> {
    let sysroot = toolchain::find_sysroot()?;
    let step = site.start_step(NAME, "looking for one that reads this rustc's bitcode");
    let probe = Probe::new(site, &sysroot)?;
    let built = [workspace::own_cache(), workspace::cache_directory()]
        .map(|cache| cache.join(NAME).join("bin").join(NAME));
    let there = built.iter().cloned().chain(child::find_program(NAME));
    let fits = there
        .filter(|linker| child::is_executable(linker))
        .find(|linker| probe.passes(linker));
    let linker = match fits {
        Some(linker) => linker,
        None => {
            site::may_fill_cache(site)?;
            build(site, &sysroot, &step)?
        }
    };
    if !probe.passes(&linker) {
        return Err(Problem::machine(format!(
            "{} cannot read the bitcode of this rustc",
            linker.display()
        ))
        .help("rustc --version --verbose   (its LLVM version must be 22)")
        .into());
    }
    match built.contains(&linker) {
        true => links::copy_program(NAME, &linker)?,
        false => links::set_link(NAME, &linker)?,
    }
    // Last, so that its presence says that all of this went well.
    links::note_circumstances(NAME, &circumstances(&sysroot))?;
    step.report_done(&format!("ready ({})", linker.display()));
    Ok(())
}

fn build(site: &SetupSite, sysroot: &Path, step: &SetupStep) -> Result<PathBuf> {
    let (llvm, library) = toolchain::own_llvm(sysroot).ok_or_else(|| no_llvm(sysroot))?;
    let major = toolchain::llvm_major(&llvm)
        .with_context(|| format!("cannot read a version in {}", library.display()))?;
    step.show_line(&format!(
        "building version {VERSION} with rustc's own LLVM {major}; this takes a minute"
    ));
    let staged = site.create_stage(NAME)?;
    let log = site.log_path("bpf-linker");
    let mut cargo = outside_cargo::cargo_outside(sysroot);
    // Debug information would triple its size. LLVM does the work, so more optimisation would only
    // cost time here.
    cargo
        .env("CARGO_PROFILE_RELEASE_DEBUG", "0")
        .env("CARGO_PROFILE_RELEASE_STRIP", "symbols")
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1");
    cargo.args([
        "install",
        NAME,
        "--version",
        VERSION,
        "--locked",
        "--no-track",
        "--target",
        TARGET,
    ]);
    cargo.args([
        "--no-default-features",
        "--features",
        &format!("llvm-{major},no-llvm-linking"),
    ]);
    cargo.arg("--root").arg(&staged);
    let target = site.create_stage("bpf-linker-target")?;
    cargo
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_BUILD_BUILD_DIR", &target);
    cargo.env(
        "CARGO_ENCODED_RUSTFLAGS",
        flags(&sysroot.join("lib"), &llvm),
    );
    command::run_to_success(&mut cargo, "build bpf-linker", &log, || {
        step.show_progress(&command::read_last_line(&log))
    })?;
    record::write_record(&staged)?;
    site.move_into_place(&staged, &directory())?;
    step.show_line(&format!(
        "built, {}",
        format_megabytes(record::count_bytes(&directory()))
    ));
    Ok(directory().join("bin").join(NAME))
}

/// Links with rustc's LLVM and finds it again at run time; the separator is cargo's for paths with
/// spaces.
fn flags(directory: &Path, llvm: &str) -> String {
    let directory = directory.display();
    [
        format!("-L{directory}"),
        format!("-Clink-arg=-l{llvm}"),
        format!("-Clink-arg=-Wl,-rpath,{directory}"),
    ]
    .join("\x1f")
}

fn no_llvm(sysroot: &Path) -> Problem {
    Problem::machine(format!(
        "the Rust toolchain {} comes without an LLVM library, which bpf-linker needs",
        sysroot.display()
    ))
    .help("install Rust with rustup: https://rustup.rs")
    .help(format!(
        "or put a bpf-linker built for this rustc's LLVM on PATH: cargo install bpf-linker \
         --version {VERSION}"
    ))
}

/// A file of bitcode that rustc wrote.
struct Probe {
    bitcode: PathBuf,
    object: PathBuf,
}

impl Probe {
    fn new(site: &SetupSite, sysroot: &Path) -> Result<Self> {
        let directory = site.create_stage("probe")?;
        let probe = Self {
            bitcode: directory.join("probe.bc"),
            object: directory.join("probe.o"),
        };
        let source = directory.join("probe.rs");
        fs::write(&source, PROBE)
            .map_err(|error| fault::io_problem(format!("write {}", source.display()), &error))?;
        let mut rustc = Command::new(sysroot.join("bin/rustc"));
        rustc
            .args(["--target", "bpfel-unknown-none", "--emit", "llvm-bc", "-o"])
            .arg(&probe.bitcode)
            .arg(&source);
        // The probe has no `core`, which only an unstable feature allows.
        rustc.env("RUSTC_BOOTSTRAP", "1");
        command::run_to_success(
            &mut rustc,
            "compile for eBPF with rustc",
            &site.log_path("probe"),
            || {},
        )?;
        Ok(probe)
    }

    fn passes(&self, linker: &Path) -> bool {
        let mut command = Command::new(linker);
        command
            .args(["--target=bpfel", "-o"])
            .arg(&self.object)
            .arg(&self.bitcode);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        child::end_with_us(&mut command);
        command.status().is_ok_and(|status| status.success()) && self.object.is_file()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_with_spaces_stays_one_flag() {
        let flags = flags(Path::new("/a b/lib"), "LLVM-22-rust");
        assert_eq!(
            flags.split('\x1f').collect::<Vec<_>>(),
            [
                "-L/a b/lib",
                "-Clink-arg=-lLLVM-22-rust",
                "-Clink-arg=-Wl,-rpath,/a b/lib"
            ]
        );
    }
}
