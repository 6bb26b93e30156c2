//! Where things are: the checkout, and the folder for what the tool fetched or made.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// The root of the checkout that the command was typed in. Found at run time: a checkout may have been copied, target
/// folder included, and its `cargo xtask` must not work on the original.
pub fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        // `cargo run` and `cargo test` set it for what they run; the compiler's is for a program that is run by hand.
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let places = package.into_iter().chain(env::current_dir()).chain([env!("CARGO_MANIFEST_DIR").into()]);
        places.filter_map(|place| checkout_of(&place)).next().unwrap_or_else(|| PathBuf::from("/"))
    })
}

/// The checkout that a folder lies in.
fn checkout_of(folder: &Path) -> Option<PathBuf> {
    let marks = ["xtask/Cargo.toml", "lessons/00-intro/Cargo.toml"];
    let is_root = |path: &&Path| marks.iter().all(|mark| path.join(mark).is_file());
    folder.ancestors().find(is_root).map(Path::to_owned)
}

/// Everything that can be fetched or made again: kernels, tools, images, verdicts. `cargo clean` leaves it alone.
pub fn cache() -> PathBuf {
    cache_named(env::var_os("XTASK_CACHE"))
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
    use std::fs;

    use super::*;

    #[test]
    fn a_checkout_is_found_from_any_of_its_folders() {
        let checkout = tempfile::tempdir().unwrap();
        for package in ["xtask", "lessons/00-intro"] {
            fs::create_dir_all(checkout.path().join(package)).unwrap();
            fs::write(checkout.path().join(package).join("Cargo.toml"), "").unwrap();
        }
        let inner = checkout.path().join("lessons/00-intro");
        assert_eq!(checkout_of(&inner).as_deref(), Some(checkout.path()));
        assert_eq!(checkout_of(Path::new("/")), None);
    }

    #[test]
    fn a_relative_cache_is_made_absolute() {
        let here = env::current_dir().unwrap();
        assert_eq!(cache_named(Some("shared/cache".into())), here.join("shared/cache"));
        assert_eq!(cache_named(Some("/shared".into())), Path::new("/shared"));
        assert_eq!(cache_named(Some("".into())), own_cache());
        assert_eq!(cache_named(None), own_cache());
    }
}
