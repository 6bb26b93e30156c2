//! Builds the eBPF program. The user-space program includes the result.

use std::env;
use std::path::Path;
use std::process::Command;

use aya_build::{Package, Toolchain};

fn main() -> anyhow::Result<()> {
    if let Some(missing) = find_missing() {
        println!("cargo::error={missing}");
        return Ok(());
    }
    // rustup sets this; without rustup, aya-build uses the cargo in PATH.
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_default();
    let package = Package {
        name: "open-count-ebpf",
        root_dir: "ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}

/// What aya-build would report in a page of text.
fn find_missing() -> Option<&'static str> {
    println!("cargo::rerun-if-env-changed=CARGO_TARGET_BPFEL_UNKNOWN_NONE_LINKER");
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
