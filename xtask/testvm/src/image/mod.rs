//! What goes into a guest: its initial file system, and the programs of a run.
//!
//! ```text
//!   initramfs   the guest's init and kernel modules (see `modules`); the programs too, where there
//!               is no shared memory
//!   programs    what a run needs, with its shared libraries: the root that its steps see
//!   tools       busybox and bpftool, for those who look around
//! ```
//!
//! All are cpio archives, built in memory. Nothing is compressed: an emulated CPU unpacks slower
//! than it copies.

mod applets;
mod archive;
mod module_info;
mod modules;

use std::fs;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::path::Path;

use anyhow::{Context, Result, bail};

pub use archive::Archive;
pub use modules::{Modules, WANTED as MODULES};

/// The initial file system: the guest's init, modules, and the programs if they come with the boot.
pub fn pack_initramfs(init: &[u8], modules: &Modules, programs: Option<&[u8]>) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    archive.add_file("init", 0o755, init)?;
    modules.put_into(&mut archive)?;
    if let Some(programs) = programs {
        archive.add_file(plan::BOOT_ARCHIVE.trim_start_matches('/'), 0o600, programs)?;
    }
    archive.finish_archive()
}

/// Adds a program as `/bin/NAME`, and the shared libraries it needs where its loader will look for
/// them.
pub fn add_program(archive: &mut Archive, program: &Path) -> Result<()> {
    let name = program
        .file_name()
        .with_context(|| format!("{} names no program", program.display()))?;
    add_program_as(archive, program, &Path::new("bin").join(name))
}

/// The same, under a path of the guest's.
pub fn add_program_as(archive: &mut Archive, program: &Path, inside: &Path) -> Result<()> {
    let bytes = read(program)?;
    archive.add_file(inside, 0o755, &bytes)?;
    add_libraries_of(archive, program, &bytes)
}

/// Adds the shared libraries of a program that is in the archive already.
pub fn add_libraries(archive: &mut Archive, program: &Path) -> Result<()> {
    add_libraries_of(archive, program, &read(program)?)
}

fn add_libraries_of(archive: &mut Archive, program: &Path, bytes: &[u8]) -> Result<()> {
    for library in shared_libraries::needed_by(program, bytes)? {
        if !archive.contains_path(&library.inside) {
            archive.add_file(&library.inside, 0o755, &read(&library.here)?)?;
        }
    }
    Ok(())
}

/// Leaves out the shared libraries that this program needs: it is in the guest with them.
pub fn leave_out_libraries(archive: &mut Archive, program: &Path) -> Result<()> {
    for library in shared_libraries::needed_by(program, &read(program)?)? {
        archive.leave_out(library.inside);
    }
    Ok(())
}

/// Adds the directory `tools` as the root: busybox under all of its names, and bpftool.
pub fn add_tools(archive: &mut Archive, tools: &Path) -> Result<()> {
    add_below(archive, tools, Path::new(""))?;
    let busybox = read(&tools.join("bin/busybox"))?;
    for name in applets::read_applets(&busybox)? {
        let path = Path::new("bin").join(&name);
        if !archive.contains_path(&path) {
            archive.add_link(&path, Path::new("busybox"))?;
        }
    }
    Ok(())
}

fn add_below(archive: &mut Archive, source: &Path, inside: &Path) -> Result<()> {
    let entries =
        fs::read_dir(source).with_context(|| format!("cannot read {}", source.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", source.display()))?;
        let (source, inside) = (entry.path(), inside.join(entry.file_name()));
        let kind = entry
            .file_type()
            .with_context(|| format!("cannot look at {}", source.display()))?;
        if kind.is_dir() {
            archive.add_directory(&inside)?;
            add_below(archive, &source, &inside)?;
        } else if kind.is_symlink() {
            let target = fs::read_link(&source)
                .with_context(|| format!("cannot read {}", source.display()))?;
            archive.add_link(&inside, &target)?;
        } else if kind.is_fifo()
            || kind.is_socket()
            || kind.is_char_device()
            || kind.is_block_device()
        {
            bail!("{} is not a file", source.display());
        } else {
            let mode = entry.metadata()?.permissions().mode();
            archive.add_file(&inside, mode & 0o777, &read(&source)?)?;
        }
    }
    Ok(())
}

fn read(path: &Path) -> Result<Vec<u8>> {
    fs::read(path).with_context(|| format!("cannot read {}", path.display()))
}
