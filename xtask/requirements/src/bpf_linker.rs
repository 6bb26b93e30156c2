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
use crate::crate_source::CrateSource;
use crate::record::State;
use crate::requirement::Requirement;
use crate::site::{self, SetupSite};
use crate::step::{SetupStep, format_megabytes};
use crate::{fault, lean_link, links, outside_cargo, record};

const SOURCE: CrateSource = CrateSource {
    name: NAME,
    version: "0.13.0",
    sha256: "998bea250d009a4719ed16ab6d772d519b77b031a0261e69223a35013972594b",
};
const NAME: &str = "bpf-linker";

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

    fn is_whole(&self) -> bool {
        self.is_met() && is_unchanged()
    }

    fn bytes(&self) -> u64 {
        350_000_000
    }

    fn plan(&self) -> Option<String> {
        Some(format!(
            "build version {} into the cache: about a minute, 7 MB",
            SOURCE.version
        ))
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        install_linker(site)
    }
}

/// Present, of the size that it had, and tried with this toolchain.
pub fn is_there() -> bool {
    lean_link::is_installed() && noted_sum().is_some()
}

/// Whether it is the file that was tried.
fn is_unchanged() -> bool {
    let linker = links::link_path(lean_link::WHOLE);
    noted_sum().is_some_and(|noted| record::sum_file(&linker).is_ok_and(|sum| sum == noted))
}

/// The checksum that the linker had when it was tried, if it is there as it was then.
fn noted_sum() -> Option<String> {
    if !links::link_works(lean_link::WHOLE) {
        return None;
    }
    let linker = links::link_path(lean_link::WHOLE);
    let circumstances = circumstances(&toolchain::find_sysroot().ok()?, &linker)?;
    let noted = links::read_circumstances(NAME)?;
    let sum = noted.strip_prefix(&circumstances)?;
    Some(sum.strip_prefix("sha256 ")?.trim().to_owned())
}

/// The toolchain whose bitcode it read, and its size, which differs once it is cut short.
fn circumstances(sysroot: &Path, linker: &Path) -> Option<String> {
    let size = linker.metadata().ok()?.len();
    Some(format!("{}\n{size} bytes\n", sysroot.display()))
}

/// Remembers that the linker was tried.
fn note_tried(sysroot: &Path) -> Result<()> {
    let linker = links::link_path(lean_link::WHOLE);
    let sum = record::sum_file(&linker)?;
    let circumstances = circumstances(sysroot, &linker).unwrap_or_default();
    links::note_circumstances(NAME, &format!("{circumstances}sha256 {sum}\n"))
}

fn directory() -> PathBuf {
    workspace::cache_directory().join(NAME)
}

/// Where the linker in use really is.
pub fn linker_in_use() -> Option<PathBuf> {
    links::link_path(lean_link::WHOLE).canonicalize().ok()
}

/// What cargo starts, if that is there.
pub fn linker_for_cargo() -> Option<PathBuf> {
    links::link_works(NAME).then(|| links::link_path(NAME))
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
    let caches = [workspace::own_cache(), workspace::cache_directory()];
    let built = caches.map(|cache| cache.join(NAME));
    // One that was damaged may still read the probe.
    let is_whole = |place: &&PathBuf| record::compare_checksums(place) == State::Whole;
    let whole = built.iter().filter(is_whole);
    let linkers = whole.map(|directory| directory.join("bin").join(NAME));
    let fits = linkers
        .chain(child::find_program(NAME))
        .filter(|linker| child::is_executable(linker) && !lean_link::is_script(linker))
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
    if built.iter().any(|directory| linker.starts_with(directory)) {
        links::copy_program(lean_link::WHOLE, &linker)?;
    } else {
        links::set_link(lean_link::WHOLE, &linker)?;
    }
    lean_link::install_script()?;
    // Last, so that its presence says that all of this went well.
    note_tried(&sysroot)?;
    step.report_done(&format!("ready ({})", linker.display()));
    Ok(())
}

fn build(site: &SetupSite, sysroot: &Path, step: &SetupStep) -> Result<PathBuf> {
    let (llvm, library) = toolchain::own_llvm(sysroot).ok_or_else(|| no_llvm(sysroot))?;
    let major = toolchain::llvm_major(&llvm)
        .with_context(|| format!("cannot read a version in {}", library.display()))?;
    step.show_line(&format!(
        "building version {} with rustc's own LLVM {major}; this takes a minute",
        SOURCE.version
    ));
    SOURCE.fetch_crate(site, sysroot, step)?;
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
        &SOURCE.spec(),
        "--locked",
        "--no-track",
        "--target",
        toolchain::HOST,
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
        step.show_last_line(&log)
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
         --version {}",
        SOURCE.version
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
