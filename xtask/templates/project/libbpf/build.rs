//! Builds the eBPF program. The user-space program includes the result.

use std::env;
use std::path::Path;
use std::process::Command;

use libbpf_cargo::SkeletonBuilder;

/// `v2`: instructions that Linux 5.10 knows. clang 20 and newer use `v3` by default.
const CLANG_ARGS: [&str; 4] = ["-mcpu=v2", "-Wall", "-Werror", "-Ibpf"];

fn main() -> anyhow::Result<()> {
    println!("cargo::rerun-if-changed=bpf");
    println!("cargo::rerun-if-env-changed=CLANG");
    let clang = env::var("CLANG").unwrap_or("clang".to_owned());
    if Command::new(&clang).arg("--version").output().is_err() {
        println!("cargo::error=clang is missing: README.md says how to install it");
        return Ok(());
    }
    // A Rust module with the names of the program and the map, and the object file in it.
    let skeleton = Path::new(&env::var("OUT_DIR")?).join("count.skel.rs");
    SkeletonBuilder::new()
        .source("bpf/count.bpf.c")
        .clang(clang)
        .clang_args(CLANG_ARGS)
        .build_and_generate(&skeleton)?;
    Ok(())
}
