//! Where things are: the checkout, and the folder for what the tool fetched or made.

use std::path::{Path, PathBuf};

/// The root of the checkout. xtask is always run from the checkout it was built in.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Everything that can be fetched or made again: kernels, tools, images, verdicts. `cargo clean` leaves it alone.
pub fn cache() -> PathBuf {
    match std::env::var_os("XTASK_CACHE") {
        Some(dir) if !dir.is_empty() => PathBuf::from(dir),
        _ => root().join(".cache"),
    }
}
