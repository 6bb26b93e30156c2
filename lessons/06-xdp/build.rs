//! Builds both kernel sides: `ebpf/` with rustc and bpf-linker, `bpf/xdp.bpf.c` with clang.

use std::env;
use std::path::PathBuf;

use anyhow::{Context as _, Result};
use aya_build::{Package, Toolchain};
use libbpf_cargo::SkeletonBuilder;

const C_SOURCE: &str = "bpf/xdp.bpf.c";

fn main() -> Result<()> {
    build_rust()?;
    build_c()
}

fn build_rust() -> Result<()> {
    // Inside rustup's cargo this names the toolchain that is running; aya-build would take
    // `nightly` otherwise.
    let toolchain = env::var("RUSTUP_TOOLCHAIN").unwrap_or_else(|_| "1.95.0".to_owned());
    let package = Package {
        name: "xdp-ebpf",
        root_dir: "ebpf",
        ..Default::default()
    };
    aya_build::build_ebpf([package], Toolchain::Custom(&toolchain))
}

fn build_c() -> Result<()> {
    println!("cargo:rerun-if-changed=bpf");
    println!("cargo:rerun-if-env-changed=CLANG");
    let out = PathBuf::from(env::var_os("OUT_DIR").context("find OUT_DIR: not run by cargo")?);
    SkeletonBuilder::new()
        .source(C_SOURCE)
        .clang(env::var_os("CLANG").unwrap_or_else(|| "clang".into()))
        // Instructions that Linux 5.10 knows: clang 20 and newer take v3 without being told.
        .clang_args(["-mcpu=v2", "-Wall", "-Werror"])
        .obj(out.join("xdp.bpf.o"))
        .build_and_generate(out.join("xdp.skel.rs"))
        .with_context(|| format!("build {C_SOURCE}"))
}
