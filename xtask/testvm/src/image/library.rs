//! The shared libraries a program needs, as its own loader finds them here and will find them in
//! the guest.

use std::env;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use object::Endianness;
use object::elf::FileHeader64;
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// Asks the loader that the program names: `--list` of glibc's and of musl's shows what it would
/// load. The program itself is never started. A static program names no loader and needs nothing.
///
/// `LD_LIBRARY_PATH` counts only for a program that does not do without: cargo sets it for all that
/// it runs.
pub fn needed_by(program: &Path, bytes: &[u8]) -> Result<Vec<SharedLibrary>> {
    let unreadable = || format!("{} is not a program for this machine", program.display());
    let Some(loader) = find_loader(bytes).with_context(unreadable)? else {
        return Ok(Vec::new());
    };
    ensure!(
        is_of_system(&loader),
        "{} names {} as its loader, which is none of this system's",
        program.display(),
        loader.display()
    );
    match (ask_loader(&loader, program, None), env::var_os(SEARCHED)) {
        (Err(_), Some(directories)) => ask_loader(&loader, program, Some(&directories)),
        (asked, _) => asked,
    }
}

/// Names directories that a loader searches first.
const SEARCHED: &str = "LD_LIBRARY_PATH";

fn ask_loader(
    loader: &Path,
    program: &Path,
    directories: Option<&OsStr>,
) -> Result<Vec<SharedLibrary>> {
    let mut list = Command::new(loader);
    list.arg("--list").arg(program).env_remove("LD_PRELOAD");
    match directories {
        Some(directories) => list.env(SEARCHED, directories),
        None => list.env_remove(SEARCHED),
    };
    let output = list.output().with_context(|| {
        let loader = loader.display();
        format!("cannot run {loader}, the loader of {}", program.display())
    })?;
    let text = String::from_utf8_lossy(&output.stdout);
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        let why = errors.lines().chain(text.lines()).next();
        let why = why.unwrap_or("its loader does not say why");
        bail!("cannot find the libraries of {}: {why}", program.display());
    }
    Ok(libraries_in(&text))
}

/// Where systems have their loaders: usually in one of the first three, with Nix or Guix in the
/// last two.
const SYSTEM: [&str; 5] = ["/lib", "/lib64", "/usr", "/nix/store", "/gnu/store"];

/// A program may name anything, and what it names is started here.
fn is_of_system(loader: &Path) -> bool {
    let name = loader.file_name().unwrap_or_default().to_string_lossy();
    let is_loader = name.starts_with("ld-") && name.contains(".so");
    let is_there = |path: &Path| SYSTEM.iter().any(|place| path.starts_with(place));
    // One that is not there cannot be started, and that is told then.
    let real = loader.canonicalize();
    is_loader && is_there(loader) && real.map_or(true, |real| is_there(&real))
}

/// The loader that an ELF file for x86-64 names.
pub fn find_loader(bytes: &[u8]) -> Result<Option<PathBuf>> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    for segment in header.program_headers(endian, bytes)? {
        if let Some(path) = segment.interpreter(endian, bytes)? {
            return Ok(Some(PathBuf::from(OsStr::from_bytes(path))));
        }
    }
    Ok(None)
}

#[derive(Debug, Eq, PartialEq)]
pub struct SharedLibrary {
    pub here: PathBuf,
    /// Below the root of the guest.
    pub inside: PathBuf,
}

/// The guest has no /etc/ld.so.cache, so only the loader's default directories count there. They
/// differ between distributions, but the C library is always in one of them: all others go beside
/// it, by the name they are asked for.
fn libraries_in(text: &str) -> Vec<SharedLibrary> {
    let found: Vec<(&str, &str)> = text.lines().filter_map(entry).collect();
    let libc = found.iter().find(|(name, _)| *name == "libc.so.6");
    let directory = libc
        .and_then(|(_, path)| Path::new(path).parent())
        .unwrap_or(Path::new("/lib64"));
    let place = |(name, path): &(&str, &str)| {
        // A name with a directory, as the loader's own, is joined as it is.
        let inside = directory.join(name);
        SharedLibrary {
            here: PathBuf::from(path),
            inside: inside.strip_prefix("/").unwrap_or(&inside).to_owned(),
        }
    };
    found.iter().map(place).collect()
}

/// (name, path) of `libelf.so.1 => /lib/libelf.so.1 (0x7f)` or `/lib64/ld-linux-x86-64.so.2
/// (0x7f)`, which Arch prints as `/lib64/ld-linux-x86-64.so.2 => /usr/lib64/ld-linux-x86-64.so.2
/// (0x7f)`. The vDSO has no path.
fn entry(line: &str) -> Option<(&str, &str)> {
    let (before, _address) = line.trim().rsplit_once(" (")?;
    let (name, path) = before.split_once(" => ").unwrap_or((before, before));
    path.starts_with('/').then_some((name, path))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TRACE: &str = "\tlinux-vdso.so.1 (0x00007ffc)\n\
        \tlibelf.so.1 => /opt/elf tools/libelf.so.1.2 (0x00007f)\n\
        \tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f)\n\
        \t/lib64/ld-linux-x86-64.so.2 => /usr/lib64/ld-linux-x86-64.so.2 (0x00007f)\n";

    #[test]
    fn a_library_from_elsewhere_goes_beside_the_c_library() {
        let libraries = libraries_in(TRACE);
        let places: Vec<(&str, &str)> = libraries
            .iter()
            .map(|library| {
                (
                    library.here.to_str().unwrap(),
                    library.inside.to_str().unwrap(),
                )
            })
            .collect();
        assert_eq!(
            places,
            [
                (
                    "/opt/elf tools/libelf.so.1.2",
                    "lib/x86_64-linux-gnu/libelf.so.1"
                ),
                (
                    "/lib/x86_64-linux-gnu/libc.so.6",
                    "lib/x86_64-linux-gnu/libc.so.6"
                ),
                (
                    "/usr/lib64/ld-linux-x86-64.so.2",
                    "lib64/ld-linux-x86-64.so.2"
                ),
            ]
        );
    }

    #[test]
    fn our_own_libraries_are_found_and_a_missing_one_is_named() {
        let own = std::env::current_exe().unwrap();
        let mut bytes = std::fs::read(&own).unwrap();
        let needed = needed_by(&own, &bytes).unwrap();
        assert!(needed.iter().any(|it| it.inside.ends_with("libc.so.6")));
        let name = b"libc.so.6\0";
        let places = bytes.len() - name.len();
        for at in 0..places {
            if bytes[at..].starts_with(name) {
                bytes[at + 3] = b'q';
            }
        }
        let directory = tempfile::tempdir().unwrap();
        let program = directory.path().join("program");
        std::fs::write(&program, &bytes).unwrap();
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, executable).unwrap();
        let error = needed_by(&program, &bytes).unwrap_err().to_string();
        assert!(error.contains("libq.so.6"), "{error}");
        // It is found where a user says that it is, and goes beside the others.
        let libc = needed.iter().find(|it| it.inside.ends_with("libc.so.6"));
        std::fs::copy(&libc.unwrap().here, directory.path().join("libq.so.6")).unwrap();
        let loader = find_loader(&bytes).unwrap().unwrap();
        let needed = ask_loader(&loader, &program, Some(directory.path().as_os_str())).unwrap();
        let found = needed.iter().find(|it| it.inside.ends_with("libq.so.6"));
        assert_eq!(found.unwrap().here, directory.path().join("libq.so.6"));
    }

    #[test]
    fn only_the_systems_own_loaders_are_started() {
        let own = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let named = find_loader(&own).unwrap().unwrap();
        assert!(is_of_system(&named), "{}", named.display());
        let directory = tempfile::tempdir().unwrap();
        let elsewhere = directory.path().join("ld-linux.so.2");
        let link = directory.path().join("ld-link.so.2");
        std::fs::write(&elsewhere, "#!/bin/sh\n").unwrap();
        std::os::unix::fs::symlink("/bin/sh", &link).unwrap();
        let up = Path::new("/usr/..").join(elsewhere.strip_prefix("/").unwrap());
        let others = ["/bin/sh", "ld-linux-x86-64.so.2", "/usr/bin/env"].map(PathBuf::from);
        for other in others.into_iter().chain([elsewhere, link, up]) {
            assert!(!is_of_system(&other), "{}", other.display());
        }
        // A program that names such a thing: the first letters of its loader are others.
        let mut bytes = own.clone();
        let name = named.as_os_str().as_bytes();
        let at = bytes.windows(name.len()).position(|it| it == name).unwrap();
        bytes[at..at + 4].copy_from_slice(b"/tmp");
        let error = needed_by(Path::new("/bin/true"), &bytes).unwrap_err();
        assert!(
            error.to_string().ends_with("none of this system's"),
            "{error}"
        );
    }

    #[test]
    fn the_loader_and_static_programs_are_understood() {
        assert_eq!(
            entry("\t/lib64/ld-linux-x86-64.so.2 (0x00007f)"),
            Some(("/lib64/ld-linux-x86-64.so.2", "/lib64/ld-linux-x86-64.so.2"))
        );
        assert_eq!(entry("\tlinux-vdso.so.1 (0x00007ffc)"), None);
        assert_eq!(entry("\tstatically linked"), None);
    }
}
