//! Where things are: the checkout, and the folder for what the tool fetched or made.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The root of the checkout. xtask is always run from the checkout it was built in.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("/"))
}

/// Everything that can be fetched or made again: kernels, tools, images, verdicts. `cargo clean` leaves it alone.
pub fn cache() -> PathBuf {
    cache_named(std::env::var_os("XTASK_CACHE"))
}

fn cache_named(dir: Option<OsString>) -> PathBuf {
    match dir {
        // Made absolute, because the programs that set-up runs are started in other folders.
        Some(dir) if !dir.is_empty() => std::path::absolute(&dir).unwrap_or_else(|_| PathBuf::from(dir)),
        _ => own_cache(),
    }
}

/// The checkout's own, even when `XTASK_CACHE` names another: what belongs to this machine and this place is kept
/// here, such as links.
pub fn own_cache() -> PathBuf {
    root().join(".cache")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_relative_cache_is_made_absolute() {
        let here = std::env::current_dir().unwrap();
        assert_eq!(cache_named(Some("shared/cache".into())), here.join("shared/cache"));
        assert_eq!(cache_named(Some("/shared".into())), Path::new("/shared"));
        assert_eq!(cache_named(Some("".into())), own_cache());
        assert_eq!(cache_named(None), own_cache());
    }
}
