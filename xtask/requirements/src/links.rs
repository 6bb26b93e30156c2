//! `.cache/bin/` of the checkout, where `.cargo/config.toml` looks for what set-up found or
//! installed, with notes of what was tried. In the checkout even when the cache is elsewhere:
//! cargo's configuration cannot follow a variable, and what was tried holds for this machine only.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use anyhow::Result;
use checkout::workspace;
use processes::child;

use crate::{fault, site};

pub fn link_path(name: &str) -> PathBuf {
    directory().join(name)
}

fn directory() -> PathBuf {
    workspace::own_cache().join("bin")
}

/// Notes that a program was tried, and under which circumstances.
pub fn note_circumstances(name: &str, circumstances: &str) -> Result<()> {
    site::create_directory(&directory())?;
    let path = note_place(name);
    std::fs::write(&path, circumstances)
        .map_err(|error| fault::io_problem(format!("write {}", path.display()), &error).into())
}

/// What was noted about the program.
pub fn read_circumstances(name: &str) -> Option<String> {
    std::fs::read_to_string(note_place(name)).ok()
}

fn note_place(name: &str) -> PathBuf {
    directory().join(format!("{name}.tried"))
}

pub fn link_works(name: &str) -> bool {
    child::is_executable(&link_path(name))
}

/// Makes the link, or moves it, in one step.
pub fn set_link(name: &str, target: &Path) -> Result<()> {
    set_in(&directory(), name, |partial| symlink(target, partial))
}

/// Puts a copy in the link's place: for a program in a cache, which may be removed, or be the
/// original's of a copied checkout. Cargo's own builds would fail then until the next set-up.
pub fn copy_program(name: &str, program: &Path) -> Result<()> {
    copy_in(&directory(), name, program)
}

/// Writes a file whose text the tool has itself.
pub fn write_file(name: &str, mode: u32, text: &str) -> Result<()> {
    write_file_in(&directory(), name, mode, text)
}

pub fn write_file_in(directory: &Path, name: &str, mode: u32, text: &str) -> Result<()> {
    set_in(directory, name, |partial| {
        std::fs::write(partial, text)?;
        std::fs::set_permissions(partial, Permissions::from_mode(mode))
    })
}

fn copy_in(directory: &Path, name: &str, program: &Path) -> Result<()> {
    set_in(directory, name, |partial| {
        std::fs::copy(program, partial).map(drop)
    })
}

fn set_in(directory: &Path, name: &str, make: impl FnOnce(&Path) -> io::Result<()>) -> Result<()> {
    let place = directory.join(name);
    // The name may begin with a directory.
    site::create_directory(place.parent().unwrap_or(directory))?;
    let partial = place.with_added_extension("partial");
    site::remove_path(&partial)?;
    let made = make(&partial).and_then(|()| std::fs::rename(&partial, &place));
    made.map_err(|error| {
        // On a full disk, half of a program is in nobody's interest.
        let _ = std::fs::remove_file(&partial);
        fault::io_problem(format!("create {}", place.display()), &error).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_a_copy_does_not_stay() {
        let directory = tempfile::tempdir().unwrap();
        let made = set_in(directory.path(), "bpf-linker", |partial| {
            std::fs::write(partial, "half a lin")?;
            Err(io::ErrorKind::StorageFull.into())
        });
        let error = made.unwrap_err().to_string();
        assert!(error.contains("/bpf-linker"), "{error}");
        assert_eq!(directory.path().read_dir().unwrap().count(), 0);
    }

    #[test]
    fn a_copy_outlives_the_cache_that_it_came_from() {
        let directory = tempfile::tempdir().unwrap();
        let (cache, bin) = (directory.path().join("cache"), directory.path().join("bin"));
        std::fs::create_dir(&cache).unwrap();
        std::fs::write(cache.join("bpf-linker"), "a linker").unwrap();
        // As an earlier set-up left it.
        set_in(&bin, "bpf-linker", |partial| {
            symlink(cache.join("bpf-linker"), partial)
        })
        .unwrap();
        copy_in(&bin, "bpf-linker", &cache.join("bpf-linker")).unwrap();
        std::fs::remove_dir_all(&cache).unwrap();
        assert_eq!(
            std::fs::read_to_string(bin.join("bpf-linker")).unwrap(),
            "a linker"
        );
    }
}
