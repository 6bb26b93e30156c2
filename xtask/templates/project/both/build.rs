//! Builds both eBPF programs. The user-space programs include the results.

use std::env;
use std::path::Path;
use std::process::Command;

use aya_build::{Package, Toolchain};
use libbpf_cargo::SkeletonBuilder;

fn main() -> anyhow::Result<()> {
    let clang = env::var("CLANG").unwrap_or("clang".to_owned());
    if let Some(missing) = find_missing(&clang) {
        println!("cargo::error={missing}");
        return Ok(());
    }
    build_rust()?;
    build_c(&clang)
}

fn build_rust() -> anyhow::Result<()> {
    // rustup sets this; without rustup, aya-build uses the cargo in PATH.
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_default();
    let package = Package {
        name: "open-count-ebpf",
        root_dir: "ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}

/// `v2`: instructions that Linux 5.10 knows. clang 20 and newer use `v3` by default.
const CLANG_ARGS: [&str; 4] = ["-mcpu=v2", "-Wall", "-Werror", "-Ibpf"];

fn build_c(clang: &str) -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=bpf");
    // A Rust module with the names of the program and the map, and the object file in it.
    let skeleton = Path::new(&env::var("OUT_DIR")?).join("count.skel.rs");
    SkeletonBuilder::new()
        .source("bpf/count.bpf.c")
        .clang(clang)
        .clang_args(CLANG_ARGS)
        .build_and_generate(&skeleton)?;
    Ok(())
}

/// What the builds would report in a page of text.
fn find_missing(clang: &str) -> Option<&'static str> {
    println!("cargo::rerun-if-env-changed=CLANG");
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER");
    if Command::new(clang).arg("--version").output().is_err() {
        return Some("clang is missing: README.md says how to install it");
    }
    let linker = env::var("CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER");
    let linker = linker.unwrap_or("bpf-linker".to_owned());
    if Command::new(linker).arg("--version").output().is_err() {
        return Some("bpf-linker is missing: README.md says how to install it");
    }
    let mut rustc = Command::new(env::var("RUSTC").ok()?);
    let output = rustc.args(["--print", "sysroot"]).output().ok()?;
    let sysroot = String::from_utf8(output.stdout).ok()?;
    let source = Path::new(sysroot.trim()).join("lib/rustlib/src/rust/library/core");
    (!source.exists()).then_some("Rust's source is missing: rustup component add rust-src")
}
