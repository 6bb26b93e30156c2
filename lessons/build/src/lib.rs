//! What the build script of every lesson calls: it builds the lesson's eBPF programs, in both
//! languages, and puts them where the user-space program includes them from.
//!
//! ```text
//!   ebpf/              rustc and bpf-linker   OUT_DIR/NAME-ebpf, one for each binary of the crate
//!   bpf/NAME.bpf.c     clang                  OUT_DIR/NAME.bpf.o, OUT_DIR/NAME.skel.rs
//! ```

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use aya_build::{Package, Toolchain};
use libbpf_cargo::SkeletonBuilder;

/// What may hold records that the eBPF program and the user-space program share. aya-build watches
/// only the eBPF crate's own directory.
const SHARED: [&str; 2] = ["src/event.rs", "common"];

/// Builds the crate in `ebpf/` and every `bpf/*.bpf.c` of the lesson.
pub fn build_ebpf_programs() -> Result<()> {
    build_rust_programs()?;
    build_c_programs()
}

// ANCHOR: rust
/// Builds the crate in `ebpf/`.
pub fn build_rust_programs() -> Result<()> {
    for path in SHARED {
        if Path::new(path).exists() {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    let lesson = env::var("CARGO_PKG_NAME").context("cannot find CARGO_PKG_NAME")?;
    let name = format!("{lesson}-ebpf");
    // rustup's cargo sets this to the toolchain in use; aya-build would ask for `nightly`.
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "1.95.0".to_owned());
    let package = Package {
        name: &name,
        root_dir: "ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}
// ANCHOR_END: rust

fn build_c_programs() -> Result<()> {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    for entry in fs::read_dir("bpf").context("cannot list bpf")? {
        let source = entry.context("cannot list bpf")?.path();
        let file_name = source.file_name().unwrap_or_default().to_string_lossy();
        if let Some(name) = file_name.strip_suffix(".bpf.c") {
            build_c(&source, name)?;
        }
    }
    Ok(())
}

// ANCHOR: c
/// `v2`: instructions that Linux 5.10 knows. clang 20 and newer use `v3` by default. `vmlinux.h` is
/// in `bpf`.
const CLANG_ARGS: [&str; 4] = ["-mcpu=v2", "-Wall", "-Werror", "-Ibpf"];

/// A builder with the clang and the arguments of all lessons.
pub fn clang_builder(source: &Path) -> SkeletonBuilder {
    let mut builder = SkeletonBuilder::new();
    builder
        .source(source)
        .clang(env::var_os("CLANG").unwrap_or_else(|| "clang".into()))
        .clang_args(CLANG_ARGS);
    builder
}

fn build_c(source: &Path, name: &str) -> Result<()> {
    let out_dir = find_out_dir()?;
    clang_builder(source)
        .obj(out_dir.join(format!("{name}.bpf.o")))
        .build_and_generate(out_dir.join(format!("{name}.skel.rs")))
        .with_context(|| format!("cannot build {}", source.display()))
}
// ANCHOR_END: c

/// The program that a lesson profiles, of which it has two: with frame pointers and without. Cargo
/// has no such setting for one package, so this calls rustc.
const PROFILED: &str = "profiled/work.rs";
const PROFILED_PROGRAMS: [(&str, &str); 2] = [("with", "yes"), ("without", "no")];

// ANCHOR: profiled
/// Builds `profiled/work.rs` as `OUT_DIR/work-with` and `OUT_DIR/work-without`.
pub fn build_profiled_program() -> Result<()> {
    println!("cargo:rerun-if-changed={PROFILED}");
    let out_dir = find_out_dir()?;
    let target = env::var_os("TARGET").context("cannot find TARGET")?;
    for (name, frame_pointers) in PROFILED_PROGRAMS {
        let mut rustc = Command::new(env::var_os("RUSTC").context("cannot find RUSTC")?);
        rustc
            .args(["--edition=2024", "-Copt-level=1", "-Cpanic=abort"])
            .arg(format!("-Cforce-frame-pointers={frame_pointers}"))
            .arg("--target")
            .arg(&target)
            // It has symbols, but no debug information.
            .args(["-Cstrip=debuginfo", PROFILED, "-o"])
            .arg(out_dir.join(format!("work-{name}")));
        if let Some(linker) = env::var_os("RUSTC_LINKER") {
            rustc.arg("-C").arg(prefix_argument("linker=", &linker));
        }
        let status = rustc.status().context("cannot run rustc")?;
        ensure!(status.success(), "cannot build {PROFILED}: rustc failed");
    }
    Ok(())
}
// ANCHOR_END: profiled

fn prefix_argument(prefix: &str, value: &OsStr) -> OsString {
    let mut argument = OsString::from(prefix);
    argument.push(value);
    argument
}

/// Where cargo wants a build script to put what it builds.
pub fn find_out_dir() -> Result<PathBuf> {
    let out_dir = env::var_os("OUT_DIR").context("cannot find OUT_DIR")?;
    Ok(PathBuf::from(out_dir))
}
