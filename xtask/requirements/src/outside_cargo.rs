//! Cargo as if it had been started by hand, far from this checkout and its configuration.

use std::path::{Path, PathBuf};
use std::process::Command;

use checkout::environment;

pub fn cargo_outside(sysroot: &Path) -> Command {
    let own = sysroot.join("bin/cargo");
    let mut cargo = Command::new(if own.is_file() {
        own
    } else {
        PathBuf::from("cargo")
    });
    environment::clean_environment(&mut cargo);
    cargo
        .current_dir("/")
        .env("RUSTC", sysroot.join("bin/rustc"));
    cargo
}
