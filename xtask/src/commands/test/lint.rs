//! Clippy, upon the crates that the tests are built upon.

use std::process::Command;

use checkout::workspace;

use crate::commands::test::cargo_build::MESSAGES;
use crate::pipeline::build;

/// Stands in for rustc. It does not count where another checkout's is: cargo compares paths.
const LINT: &str = "xtask/src/commands/test/lint.sh";

/// Cargo that builds what these arguments select, up to the crates of the workspace, which Clippy
/// reads. A warning is an error: cargo shows it again at the next call.
pub fn lint_cargo(arguments: &[String]) -> Command {
    let mut cargo = build::inner_cargo();
    cargo
        .args(["build", MESSAGES])
        .args(arguments)
        .env(
            "RUSTC_WORKSPACE_WRAPPER",
            workspace::workspace_root().join(LINT),
        )
        // Its programs are empty files: they must not take the place of those that run.
        .env(
            "CARGO_TARGET_DIR",
            workspace::target_directory().join("lint"),
        );
    cargo
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Output;

    use super::*;

    const MANIFEST: &str =
        "[package]\nname = 'linted-tool'\nedition = '2024'\nbuild = 'build.rs'\n";
    /// Each kind of target, and what is right in it. A test may start a program with
    /// a hyphen in its name.
    const TARGETS: [(&str, &str); 5] = [
        ("build.rs", "fn main() {}\n"),
        ("src/lib.rs", "pub fn five() -> u32 {\n    5\n}\n"),
        ("src/main.rs", "fn main() {\n    linted_tool::five();\n}\n"),
        (
            "tests/test.rs",
            "#[test]\nfn five() {\n    println!(env!(\"CARGO_BIN_EXE_linted-tool\"));\n}\n",
        ),
        (
            "examples/example.rs",
            "fn main() {\n    linted_tool::five();\n}\n",
        ),
    ];
    const SLOPPY: &str = "pub fn six() -> u32 {\n    return 6;\n}\n";

    fn write(package: &Path, file: &str, text: &str) {
        let path = package.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    fn lint(package: &Path) -> Output {
        let mut cargo = lint_cargo(&["--all-targets".to_owned()]);
        cargo
            .current_dir(package)
            .env("CARGO_TARGET_DIR", package.join("target/lint"))
            .env("CARGO_BUILD_BUILD_DIR", package.join("target"));
        cargo.output().unwrap()
    }

    #[test]
    fn each_target_is_read_and_none_is_compiled() {
        let package = tempfile::tempdir().unwrap();
        let package = package.path();
        write(package, "Cargo.toml", MANIFEST);
        for (file, text) in TARGETS {
            write(package, file, text);
        }
        for (file, text) in TARGETS {
            write(package, file, &format!("{text}{SLOPPY}"));
            for _ in 0..2 {
                // The second time, cargo must not take it for done.
                let output = lint(package);
                let told = String::from_utf8_lossy(&output.stderr);
                assert!(!output.status.success(), "{file}: {told}");
                assert!(told.contains("clippy::needless-return"), "{file}: {told}");
                assert!(told.contains(&format!("--> {file}:")), "{file}: {told}");
            }
            write(package, file, text);
        }
        let output = lint(package);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{told}");
        let program = package.join("target/lint/debug/linted-tool");
        assert_eq!(fs::metadata(program).unwrap().len(), 0);
        let again = lint(package);
        let told = String::from_utf8_lossy(&again.stdout);
        assert!(!told.contains("\"fresh\":false"), "{told}");
    }
}
