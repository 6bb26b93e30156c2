//! The Rust toolchain that builds the course.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::Result;

use super::child;
use crate::problem::Problem;
use crate::workspace;

/// The folder with `bin/rustc` and `lib/`. Under `cargo xtask` the environment tells it, and no program is started.
pub fn sysroot() -> Result<PathBuf> {
    let from_cargo = std::env::var_os("CARGO").map(PathBuf::from).and_then(|cargo| {
        let root = cargo.canonicalize().ok()?.parent()?.parent()?.to_owned();
        // A rustup proxy is called cargo as well; it has no compiler's libraries beside it.
        root.join("lib/rustlib").is_dir().then_some(root)
    });
    if let Some(root) = from_cargo {
        return Ok(root);
    }
    let mut rustc = Command::new("rustc");
    // rust-toolchain.toml counts only from within the checkout.
    rustc
        .args(["--print", "sysroot"])
        .current_dir(workspace::root())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    child::dies_with_us(&mut rustc);
    let output = rustc.output().ok().filter(|output| output.status.success());
    let Some(output) = output else {
        return Err(Problem::machine("cannot find the Rust toolchain: rustc does not run")
            .help("install Rust with rustup, as https://rustup.rs tells")
            .into());
    };
    Ok(PathBuf::from(String::from_utf8_lossy(&output.stdout).trim()))
}

/// "1.95.0".
pub fn version(sysroot: &Path) -> Option<String> {
    let text = child::ask(sysroot.join("bin/rustc"), &["--version"])?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// The LLVM that rustc itself uses: (name to link with, file).
pub fn own_llvm(sysroot: &Path) -> Option<(String, PathBuf)> {
    let folder = sysroot.join("lib");
    let name =
        |path: &Path| path.file_name()?.to_str()?.strip_prefix("lib")?.strip_suffix(".so").map(str::to_owned);
    let entries = folder.read_dir().ok()?.flatten().map(|entry| entry.path());
    entries.filter_map(|path| Some((name(&path)?, path))).find(|(name, _)| name.starts_with("LLVM-"))
}

/// "22", from a name like `LLVM-22-rust-1.95.0-stable`.
pub fn llvm_major(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("LLVM-")?;
    Some(&rest[..rest.find(|c: char| !c.is_ascii_digit())?]).filter(|major| !major.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn llvm_version_is_in_the_name() {
        assert_eq!(llvm_major("LLVM-22-rust-1.95.0-stable"), Some("22"));
        assert_eq!(llvm_major("LLVM-rust"), None);
        assert_eq!(llvm_major("rustc_driver"), None);
    }
}
