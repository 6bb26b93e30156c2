//! The reader of verifier logs, for the browser: the crate `explorer` as WebAssembly, inside a
//! script, since a page from a file may load scripts and nothing else.

use std::fs;

use anyhow::{Context, Result};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use checkout::workspace;
use problem::Problem;
use processes::Foreground;
use requirements::RustSrc;
use xtask::pipeline::{build, needs};

const TARGET: &str = "wasm32-unknown-unknown";

/// The script that gives the page `window.VERIFIER_LOG_WASM`.
pub fn build_script() -> Result<String> {
    // No standard library comes with Rust for this target unless rustup can fetch it: it is built
    // from source.
    needs::ensure_needs(&[&RustSrc])?;
    let directory = workspace::target_directory().join("explorer");
    let mut cargo = build::inner_cargo();
    cargo
        .args([
            "build",
            "--package",
            "explorer",
            "--profile",
            "explorer",
            "--target",
            TARGET,
            "--quiet",
        ])
        .args(["-Z", "build-std=std,panic_abort"])
        // Without backtraces: no page shows any, and reading debug information is a quarter of what
        // there is to compile.
        .args(["-Z", "build-std-features="])
        .arg("--target-dir")
        .arg(&directory)
        .env("CARGO_BUILD_BUILD_DIR", &directory)
        .env("RUSTC_BOOTSTRAP", "1");
    let (status, _) = Foreground::start_command(cargo)?.wait_for_exit()?;
    if !status.success() {
        return Err(
            Problem::machine("the explorer does not build; cargo's messages are above")
                .help("cargo xtask doctor")
                .into(),
        );
    }
    let path = directory.join(TARGET).join("explorer/explorer.wasm");
    let wasm = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(format!(
        "window.VERIFIER_LOG_WASM = \"{}\";\n",
        BASE64_STANDARD.encode(wasm)
    ))
}
