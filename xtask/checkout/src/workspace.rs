//! Where things are: the checkout, and the directory for what the tool fetched or made.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// Where this program was compiled. Only to tell whether it was compiled from this checkout: a
/// checkout may be copied, with what was built in it, and nothing in the copy may read or write the
/// original's files.
const COMPILED_IN: &str = env!("CARGO_MANIFEST_DIR");

/// The root of the checkout that the command was typed in.
pub fn workspace_root() -> &'static Path {
    // The tool ends before it needs a root if there is none: see `own_build`.
    find_root().unwrap_or(Path::new("/"))
}

/// The root of the checkout, found at run time; `None` outside of every checkout.
pub fn find_root() -> Option<&'static Path> {
    static ROOT: OnceLock<Option<PathBuf>> = OnceLock::new();
    let find = || {
        // `cargo run` and `cargo test` set it for what they run. The others are for a program that
        // is run by hand.
        let package = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let places = package
            .into_iter()
            .chain(env::current_dir())
            .chain(env::current_exe());
        places
            .chain([COMPILED_IN.into()])
            .find_map(|place| checkout_of(&place))
    };
    ROOT.get_or_init(find).as_deref()
}

/// The checkout that contains a path.
fn checkout_of(path: &Path) -> Option<PathBuf> {
    let marks = ["xtask/Cargo.toml", "lessons/00-intro/Cargo.toml"];
    let is_root = |path: &&Path| marks.iter().all(|mark| path.join(mark).is_file());
    path.ancestors().find(is_root).map(Path::to_owned)
}

/// Whether a program is the one that this checkout's cargo built. Where `CARGO_TARGET_DIR` is
/// shared by two checkouts, the last one to build has put its program there.
pub fn is_own_build(program: &Path) -> bool {
    is_build_of(workspace_root(), program, compiled_in().as_deref())
}

/// The checkout that this program was compiled in; it may be gone.
pub fn compiled_in() -> Option<PathBuf> {
    Path::new(COMPILED_IN)
        .ancestors()
        .nth(2)
        .map(Path::to_owned)
}

/// A program in the checkout is the checkout's own, even if compiled elsewhere: it was copied with
/// its source.
fn is_build_of(root: &Path, program: &Path, compiled_in: Option<&Path>) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    real(program).starts_with(real(root))
        || compiled_in.is_some_and(|path| real(path) == real(root))
}

/// Everything that is built, whatever `CARGO_TARGET_DIR` says: in a directory that two checkouts
/// share, cargo takes the packages of one for those of the other, because it knows them by their
/// path within the workspace.
pub fn target_directory() -> PathBuf {
    workspace_root().join("target")
}

/// Everything that can be fetched or made again: kernels, tools, images, verdicts. `cargo clean`
/// leaves it alone.
pub fn cache_directory() -> PathBuf {
    cache_named(env::var_os("XTASK_CACHE"))
}

fn cache_named(dir: Option<OsString>) -> PathBuf {
    match dir {
        // Made absolute, because the programs that set-up runs are started in other directories.
        Some(dir) if !dir.is_empty() => {
            std::path::absolute(&dir).unwrap_or_else(|_| PathBuf::from(dir))
        }
        _ => own_cache(),
    }
}

/// The C libraries that programs of another architecture are linked with, in directories as
/// Debian's packages have them.
pub fn foreign_libraries(architecture: &str) -> PathBuf {
    cache_directory().join(architecture).join("libraries")
}

/// The checkout's own, even when `XTASK_CACHE` names another: what belongs to this machine and this
/// place is kept here, such as links.
pub fn own_cache() -> PathBuf {
    workspace_root().join(".cache")
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_checkout_is_found_from_any_of_its_directories() {
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
    fn another_checkouts_program_is_told_from_a_copied_one() {
        let (copy, original) = (
            Path::new("/course/copy"),
            Some(Path::new("/course/original")),
        );
        assert!(is_build_of(
            copy,
            Path::new("/course/copy/target/debug/xtask"),
            original
        ));
        assert!(!is_build_of(
            copy,
            Path::new("/shared/debug/xtask"),
            original
        ));
        assert!(is_build_of(
            copy,
            Path::new("/shared/debug/xtask"),
            Some(copy)
        ));
        assert!(!is_build_of(copy, Path::new("/shared/debug/xtask"), None));
    }

    #[test]
    fn a_relative_cache_is_made_absolute() {
        let here = env::current_dir().unwrap();
        assert_eq!(
            cache_named(Some("shared/cache".into())),
            here.join("shared/cache")
        );
        assert_eq!(cache_named(Some("/shared".into())), Path::new("/shared"));
        assert_eq!(cache_named(Some("".into())), own_cache());
        assert_eq!(cache_named(None), own_cache());
    }
}
