//! The guest's init, built when its source has changed.

use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::{build, screen, workspace};

/// The init's source: a change in any of these makes a new one.
const SOURCES: [&str; 5] = ["xtask/guest", "xtask/plan", "Cargo.toml", "Cargo.lock", "rust-toolchain.toml"];

/// Returns the path of the init; builds it first when there is none of this source.
pub fn build() -> Result<PathBuf> {
    let folder = workspace::own_cache().join("init");
    let path = folder.join(format!("{:016x}", source_hash()?));
    if path.exists() {
        return Ok(path);
    }
    screen::progress("building the guest's init (once, about 15 s)");
    let built = build::guest_init()?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot create {}", folder.display()))?;
    // Another run may be doing the same; a rename lets the last one win without anyone seeing half a file.
    let temporary = folder.join(format!("new-{}", std::process::id()));
    fs::copy(&built, &temporary)
        .and_then(|_| fs::rename(&temporary, &path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(path)
}

fn source_hash() -> Result<u64> {
    let mut hasher = DefaultHasher::new();
    for source in SOURCES {
        hasher.write(source.as_bytes());
        hash_tree(&workspace::root().join(source), &mut hasher)?;
    }
    Ok(hasher.finish())
}

fn hash_tree(path: &Path, hasher: &mut DefaultHasher) -> Result<()> {
    let unreadable = || format!("cannot read {}", path.display());
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(unreadable)?;
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| hash_tree(path, hasher));
    }
    hasher.write(path.file_name().unwrap_or_default().as_encoded_bytes());
    hasher.write(&fs::read(path).with_context(unreadable)?);
    Ok(())
}
