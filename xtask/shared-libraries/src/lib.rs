//! The shared libraries a program needs, as its own loader finds them here and will find them in
//! the guest. The loader of another architecture does not run here: for its programs, this reads
//! what they need, and looks where compilers for that architecture have it.

use std::env;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use kernel::Architecture;
use object::Endianness;
use object::elf::{DT_NEEDED, FileHeader64};
use object::read::elf::{FileHeader as _, ProgramHeader as _};

/// Asks the loader that the program names: `--list` of glibc's and of musl's shows what it would
/// load. The program itself is never started. A static program names no loader and needs nothing.
///
/// `LD_LIBRARY_PATH` counts only for a program that does not do without: cargo sets it for all that
/// it runs.
pub fn needed_by(program: &Path, bytes: &[u8]) -> Result<Vec<SharedLibrary>> {
    let unreadable = || format!("cannot read {} as a program", program.display());
    let Some(loader) = find_loader(bytes).with_context(unreadable)? else {
        return Ok(Vec::new());
    };
    let architecture = find_architecture(bytes)?;
    if let Some(other) = architecture.filter(|it| *it != Architecture::HOST) {
        let directories = foreign_directories(other);
        return find_without_loader(other, program, bytes, &directories);
    }
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

/// The loader that an ELF file of 64 bits names.
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

fn find_architecture(bytes: &[u8]) -> Result<Option<Architecture>> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let machine = header.e_machine(header.endian()?);
    Ok(Architecture::of_elf_machine(machine))
}

/// Where the libraries of another architecture are: with a cross compiler of Debian, Fedora or
/// Arch, or beside those of this machine.
pub fn foreign_directories(architecture: Architecture) -> [PathBuf; 3] {
    let triplet = architecture.gnu_triplet();
    [
        format!("/usr/{triplet}/lib"),
        format!("/usr/lib/{triplet}"),
        format!("/lib/{triplet}"),
    ]
    .map(PathBuf::from)
}

/// Where all loaders look, and libbpf too, when a program names a library to watch.
const FOREIGN_INSIDE: &str = "usr/lib";

/// All that a program needs, and all that its libraries need, each from the first of these
/// directories that has it. Nothing is started.
pub fn find_without_loader(
    architecture: Architecture,
    program: &Path,
    bytes: &[u8],
    directories: &[PathBuf],
) -> Result<Vec<SharedLibrary>> {
    let loader = Path::new(architecture.loader());
    let loader_name = loader.file_name().unwrap_or_default();
    let mut wanted = vec![loader_name.to_string_lossy().into_owned()];
    wanted.extend(list_needed(bytes)?);
    let mut found: Vec<SharedLibrary> = Vec::new();
    while let Some(name) = wanted.pop() {
        let inside = if *name == *loader_name {
            loader.strip_prefix("/").unwrap_or(loader).to_owned()
        } else {
            Path::new(FOREIGN_INSIDE).join(&name)
        };
        if found.iter().any(|library| library.inside == inside) {
            continue;
        }
        let places = directories.iter().map(|directory| directory.join(&name));
        let here = places.into_iter().find(|place| place.is_file());
        let here = here.with_context(|| {
            let program = program.display();
            format!(
                "cannot find {name}, which {program} needs, among the libraries of {architecture}"
            )
        })?;
        let library = fs::read(&here).with_context(|| format!("cannot read {}", here.display()))?;
        wanted.extend(list_needed(&library)?);
        found.push(SharedLibrary { here, inside });
    }
    Ok(found)
}

/// The names of the libraries that a program or a library asks for.
fn list_needed(bytes: &[u8]) -> Result<Vec<String>> {
    let header = FileHeader64::<Endianness>::parse(bytes)?;
    let endian = header.endian()?;
    let sections = header.sections(endian, bytes)?;
    let Some((entries, link)) = sections.dynamic(endian, bytes)? else {
        return Ok(Vec::new());
    };
    let strings = sections.strings(endian, bytes, link)?;
    let mut names = Vec::new();
    for entry in entries {
        if entry.d_tag.get(endian) == DT_NEEDED {
            let offset = u32::try_from(entry.d_val.get(endian))?;
            let name = strings.get(offset).ok().context("a name is cut short")?;
            names.push(String::from_utf8_lossy(name).into_owned());
        }
    }
    Ok(names)
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

    /// This program stands for one of another architecture: its libraries are copied.
    #[test]
    fn libraries_of_another_architecture_are_found_without_its_loader() {
        let own = std::env::current_exe().unwrap();
        let bytes = std::fs::read(&own).unwrap();
        let sysroot = tempfile::tempdir().unwrap();
        let arm64 = Architecture::Arm64;
        let directories = [sysroot.path().join("empty"), sysroot.path().to_owned()];
        let find = || find_without_loader(arm64, &own, &bytes, &directories);
        let error = find().unwrap_err().to_string();
        assert!(error.contains(", which "), "{error}");
        assert!(error.ends_with("among the libraries of arm64"), "{error}");
        for library in needed_by(&own, &bytes).unwrap() {
            let name = library.here.file_name().unwrap();
            std::fs::copy(&library.here, sysroot.path().join(name)).unwrap();
        }
        std::fs::copy("/bin/true", sysroot.path().join("ld-linux-aarch64.so.1")).unwrap();
        let found = find().unwrap();
        let inside: Vec<_> = found.iter().map(|it| it.inside.to_str().unwrap()).collect();
        assert!(inside.contains(&"usr/lib/libc.so.6"), "{inside:?}");
        assert!(inside.contains(&"lib/ld-linux-aarch64.so.1"), "{inside:?}");
        assert!(found.iter().all(|it| it.here.starts_with(sysroot.path())));
    }

    #[test]
    fn what_a_program_needs_and_what_it_is_for_is_in_its_file() {
        let bytes = std::fs::read(std::env::current_exe().unwrap()).unwrap();
        let needed = list_needed(&bytes).unwrap();
        assert!(needed.iter().any(|name| name == "libc.so.6"), "{needed:?}");
        assert_eq!(find_architecture(&bytes).unwrap(), Some(Architecture::HOST));
        assert!(list_needed(&bytes[..bytes.len() / 2]).is_err());
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
