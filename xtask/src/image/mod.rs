//! The guest's initial file system: cpio archives, built in memory, one after the other.
//!
//! ```text
//!   base      the guest's init                                   made once, see `init`
//!   programs  what this run needs, with its shared libraries      a few milliseconds
//!   tools     busybox and bpftool, for those who look around      only when asked for
//! ```
//!
//! Nothing is compressed: an emulated CPU unpacks slower than it copies.

mod archive;
mod init;
mod library;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};

pub use archive::Archive;

/// Folders that programs take for granted. The guest's init makes those that it mounts something on.
const FOLDERS: [&str; 4] = ["bin", "etc", "root", "var"];

/// An image with the guest's init and nothing else.
pub fn base() -> Result<Archive> {
    let mut archive = Archive::default();
    for folder in FOLDERS {
        archive.folder(folder)?;
    }
    let init = init::build()?;
    archive.file("init", 0o755, &read(&init)?)?;
    Ok(archive)
}

/// Adds a program as `/bin/NAME`, and the shared libraries it needs where its loader will look for them.
pub fn add_program(archive: &mut Archive, program: &Path) -> Result<()> {
    let name = program.file_name().with_context(|| format!("{} names no program", program.display()))?;
    archive.file(Path::new("bin").join(name), 0o755, &read(program)?)?;
    for library in library::needed_by(program)? {
        if !archive.contains(&library.inside) {
            archive.file(&library.inside, 0o755, &read(&library.here)?)?;
        }
    }
    Ok(())
}

/// Adds a folder's contents, below the root of the guest.
pub fn add_tree(archive: &mut Archive, folder: &Path) -> Result<()> {
    add_below(archive, folder, Path::new(""))
}

fn add_below(archive: &mut Archive, source: &Path, inside: &Path) -> Result<()> {
    let entries = fs::read_dir(source).with_context(|| format!("cannot read {}", source.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", source.display()))?;
        let (source, inside) = (entry.path(), inside.join(entry.file_name()));
        let kind = entry.file_type().with_context(|| format!("cannot look at {}", source.display()))?;
        if kind.is_dir() {
            archive.folder(&inside)?;
            add_below(archive, &source, &inside)?;
        } else if kind.is_symlink() {
            let target =
                fs::read_link(&source).with_context(|| format!("cannot read {}", source.display()))?;
            archive.link(&inside, &target)?;
        } else if kind.is_fifo() || kind.is_socket() || kind.is_char_device() || kind.is_block_device() {
            bail!("{} is not a file", source.display());
        } else {
            let mode = entry.metadata()?.permissions().mode();
            archive.file(&inside, mode & 0o777, &read(&source)?)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
