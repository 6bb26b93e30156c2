//! The QEMU on this machine.

use std::path::{Path, PathBuf};

use super::child;

/// Where Red Hat's distributions keep theirs.
const ELSEWHERE: &str = "/usr/libexec/qemu-kvm";

/// What the user wants to be taken, there or not.
pub fn named() -> Option<PathBuf> {
    std::env::var_os("XTASK_QEMU").filter(|path| !path.is_empty()).map(PathBuf::from)
}

/// `XTASK_QEMU` if it is set, else the first one that is found.
pub fn find() -> Option<PathBuf> {
    match named() {
        Some(path) if path.components().count() > 1 => Some(path).filter(|path| child::is_executable(path)),
        Some(name) => child::find(&name.to_string_lossy()),
        None => child::find("qemu-system-x86_64")
            .or_else(|| Some(PathBuf::from(ELSEWHERE)).filter(|path| child::is_executable(path))),
    }
}

/// "7.2.22", asked of QEMU itself.
pub fn version(qemu: &Path) -> Option<String> {
    let text = child::ask(qemu, &["--version"])?;
    let rest = text.lines().next()?.split_once("version ")?.1;
    Some(rest.split([' ', '(']).next()?.to_owned())
}
