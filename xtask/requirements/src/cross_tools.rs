//! Where the compilers and C libraries for other architectures are on this machine.

use std::path::{Path, PathBuf};

use kernel::Architecture;
use processes::child;

/// `aarch64-linux-gnu-gcc`, which Debian, Fedora and Arch call the same.
pub fn find_compiler(architecture: Architecture) -> Option<PathBuf> {
    child::find_program(&format!("{}-gcc", architecture.gnu_triplet()))
}

/// Whether programs can be linked statically for this architecture.
pub fn has_static_libc(architecture: Architecture) -> bool {
    let root = Path::new("/usr").join(architecture.gnu_triplet());
    // Debian's place, and Arch's.
    ["lib/libc.a", "usr/lib/libc.a"]
        .iter()
        .any(|file| root.join(file).is_file())
}
