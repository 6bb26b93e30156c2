//! The Rust toolchain that builds the course.

use std::env;
use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use anyhow::Result;
use kernel::Architecture;
use problem::Problem;
use processes::child;

use crate::workspace;

/// The target of programs for this machine.
pub const HOST: &str = Architecture::HOST.rust_target();

/// A toolchain other than the pinned one would build different programs, and bpf-linker may not
/// read its LLVM's bitcode.
const NAME: &str = "RUSTUP_TOOLCHAIN";
const PIN: &str = "rust-toolchain.toml";

/// The cargo that builds. Under `cargo xtask` it is the one that runs us, unless `RUSTUP_TOOLCHAIN`
/// or `cargo +NAME` chose another toolchain than the pinned one, and the pinned one is here.
pub fn cargo_program() -> OsString {
    let pinned = pinned_instead().map(|directory| directory.join("bin/cargo").into_os_string());
    pinned
        .or_else(|| env::var_os("CARGO"))
        .unwrap_or_else(|| "cargo".into())
}

/// What `RUSTUP_TOOLCHAIN` must be so that rustup agrees; `None` where it is right as it is.
pub fn chosen_name() -> Option<OsString> {
    pinned_instead()?.file_name().map(ToOwned::to_owned)
}

/// The name of a toolchain that builds instead of the pinned one, which is not here.
pub fn unpinned_toolchain() -> Option<String> {
    let name = env::var(NAME).ok()?;
    let pinned = pinned_version()?;
    (pinned_instead().is_none() && !is_of_version(&name, &pinned)).then_some(name)
}

/// The directory of the pinned toolchain, where another one was chosen.
fn pinned_instead() -> Option<&'static Path> {
    static PINNED: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        let name = env::var(NAME).ok()?;
        let home = env::var_os("RUSTUP_HOME").map(PathBuf::from);
        let home = home.or_else(|| env::home_dir().map(|home| home.join(".rustup")))?;
        instead_of(&name, &pinned_version()?, &home.join("toolchains"))
    };
    PINNED.get_or_init(find).as_deref()
}

fn instead_of(name: &str, pinned: &str, toolchains: &Path) -> Option<PathBuf> {
    if is_of_version(name, pinned) {
        return None;
    }
    let directory = toolchains.join(format!("{pinned}-{}", HOST));
    directory.join("bin/cargo").is_file().then_some(directory)
}

/// "1.95.0" and "1.95.0-x86_64-unknown-linux-gnu" are of version 1.95.0.
fn is_of_version(name: &str, version: &str) -> bool {
    name.strip_prefix(version)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
}

fn pinned_version() -> Option<String> {
    pinned_in(&fs::read_to_string(workspace::workspace_root().join(PIN)).ok()?)
}

fn pinned_in(text: &str) -> Option<String> {
    let table: toml::Table = toml::from_str(text).ok()?;
    Some(table.get("toolchain")?.get("channel")?.as_str()?.to_owned())
}

/// The directory with `bin/rustc` and `lib/`. Under `cargo xtask` the environment tells it, and no
/// program is started.
pub fn find_sysroot() -> Result<PathBuf> {
    let from_cargo = {
        let root = PathBuf::from(cargo_program()).canonicalize().ok();
        let root = root.and_then(|cargo| Some(cargo.parent()?.parent()?.to_owned()));
        // A rustup proxy is called cargo as well; it has no compiler's libraries beside it.
        root.filter(|root| root.join("lib/rustlib").is_dir())
    };
    if let Some(root) = from_cargo {
        return Ok(root);
    }
    let mut rustc = Command::new("rustc");
    // rust-toolchain.toml counts only from within the checkout.
    rustc
        .args(["--print", "sysroot"])
        .current_dir(workspace::workspace_root())
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    child::end_with_us(&mut rustc);
    let why = match rustc.output() {
        Ok(output) if output.status.success() => {
            let sysroot = String::from_utf8_lossy(&output.stdout);
            return Ok(PathBuf::from(sysroot.trim()));
        }
        Ok(output) => output.status.to_string(),
        Err(error) => error.to_string(),
    };
    Err(Problem::machine(format!(
        "cannot find the Rust toolchain: rustc does not run ({why})"
    ))
    .help("if it is missing, install Rust with rustup: https://rustup.rs")
    .into())
}

/// "1.95.0".
pub fn read_rustc_version(sysroot: &Path) -> Option<String> {
    let text = child::ask_program(sysroot.join("bin/rustc"), &["--version"])?;
    text.split_whitespace().nth(1).map(str::to_owned)
}

/// The LLVM that rustc itself uses: (name to link with, file).
pub fn own_llvm(sysroot: &Path) -> Option<(String, PathBuf)> {
    let directory = sysroot.join("lib");
    let name = |path: &Path| {
        path.file_name()?
            .to_str()?
            .strip_prefix("lib")?
            .strip_suffix(".so")
            .map(str::to_owned)
    };
    let entries = directory
        .read_dir()
        .ok()?
        .flatten()
        .map(|entry| entry.path());
    entries
        .filter_map(|path| Some((name(&path)?, path)))
        .find(|(name, _)| name.starts_with("LLVM-"))
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
    fn the_pinned_toolchain_wins_over_another_where_it_is_here() {
        let toolchains = tempfile::tempdir().unwrap();
        let pinned = toolchains.path().join(format!("1.95.0-{HOST}"));
        assert_eq!(instead_of("nightly", "1.95.0", toolchains.path()), None);
        fs::create_dir_all(pinned.join("bin")).unwrap();
        fs::write(pinned.join("bin/cargo"), "").unwrap();
        assert_eq!(
            instead_of("nightly", "1.95.0", toolchains.path()),
            Some(pinned)
        );
        for same in ["1.95.0".to_owned(), format!("1.95.0-{HOST}")] {
            assert_eq!(instead_of(&same, "1.95.0", toolchains.path()), None);
        }
        assert!(!is_of_version("1.95.01", "1.95.0"));
    }

    #[test]
    fn the_pin_is_read() {
        assert_eq!(
            pinned_in("[toolchain]\nchannel = \"1.95.0\"\n").as_deref(),
            Some("1.95.0")
        );
        assert!(pinned_version().is_some(), "{PIN} of this checkout");
    }

    #[test]
    fn llvm_version_is_in_the_name() {
        assert_eq!(llvm_major("LLVM-22-rust-1.95.0-stable"), Some("22"));
        assert_eq!(llvm_major("LLVM-rust"), None);
        assert_eq!(llvm_major("rustc_driver"), None);
    }
}
