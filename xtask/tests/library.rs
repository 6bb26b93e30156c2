//! `bpf-verifier-log` for everyone: it can be published, and it runs without a standard library.

#![expect(clippy::unwrap_used, reason = "a test ends at what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::process::{Command, Output};

use checkout::workspace::workspace_root;
use common::{stderr, stdout};
use xtask::pipeline::build;

const PACKAGE: &str = "bpf-verifier-log";

/// Builds of their own, which no other test waits for.
fn library_cargo(arguments: &[&str]) -> Command {
    let mut cargo = build::inner_cargo();
    let target = workspace_root().join("target/library");
    cargo
        .args(arguments)
        .args(["--package", PACKAGE, "--offline"])
        .env("CARGO_TARGET_DIR", &target)
        .env("CARGO_BUILD_BUILD_DIR", &target)
        .env("RUSTC_BOOTSTRAP", "1");
    cargo
}

fn succeeded(mut cargo: Command) -> Output {
    let output = cargo.output().unwrap();
    assert!(output.status.success(), "{}", stderr(&output));
    output
}

/// All that the package needs is in it. Each release is also built from the package alone:
/// `cargo publish --dry-run -p bpf-verifier-log`.
#[test]
fn it_can_be_packaged() {
    let output = succeeded(library_cargo(&["package", "--allow-dirty", "--no-verify"]));
    let mut warnings: Vec<String> = stderr(&output).lines().map(str::to_owned).collect();
    // Tests that read the gallery stay here.
    let is_left_out = |line: &str| line.starts_with("warning: ignoring test `");
    warnings.retain(|line| line.starts_with("warning: ") && !is_left_out(line));
    assert_eq!(warnings, [""; 0]);

    let list = stdout(&succeeded(library_cargo(&[
        "package",
        "--allow-dirty",
        "--list",
    ])));
    let packaged: BTreeSet<&str> = list.lines().collect();
    let mut git = Command::new("git");
    let directory = workspace_root().join("xtask").join(PACKAGE);
    git.args([
        "ls-files",
        "--",
        "src",
        "data",
        "*.md",
        "LICENSE-*",
        "tests/logs",
    ]);
    let known = stdout(&git.current_dir(directory).output().unwrap());
    assert!(known.lines().count() > 60, "{known}");
    let missing: Vec<&str> = known
        .lines()
        .filter(|file| !packaged.contains(file))
        .collect();
    assert_eq!(missing, [""; 0]);
    for file in [
        "LICENSE-APACHE",
        "LICENSE-MIT",
        "README.md",
        "tests/report.rs",
    ] {
        assert!(packaged.contains(file), "{list}");
    }
}

/// For this target there is no standard library: `core` and `alloc` must do.
#[test]
fn it_runs_without_a_standard_library() {
    let mut cargo = library_cargo(&["check", "--no-default-features"]);
    cargo.args([
        "--target",
        "x86_64-unknown-none",
        "-Z",
        "build-std=core,alloc",
    ]);
    let output = succeeded(cargo);
    assert!(
        !stderr(&output).contains("warning: "),
        "{}",
        stderr(&output)
    );
}
