//! The guest's init, built when its source has changed.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::{Context, Result, bail};
use checkout::{toolchain, workspace};
use kernel::Architecture;
use object::Endianness;
use object::elf::{FileHeader64, PT_INTERP};
use object::read::elf::{FileHeader as _, ProgramHeader as _};
use problem::Problem;
use testvm::Digest;

use crate::output::screen;
use crate::pipeline::build;

/// The init's source, with its profile and versions: a change in any of these makes a new one.
const SOURCES: [&str; 6] = [
    "xtask/guest",
    "xtask/plan",
    "Cargo.toml",
    "Cargo.lock",
    "rust-toolchain.toml",
    ".cargo/config.toml",
];

/// Inits of other sources that stay, for whoever switches between branches.
const KEPT: usize = 3;

/// The init's bytes; builds it first when there is none of this source that a kernel can start.
pub fn build_guest_init(architecture: Architecture) -> Result<Vec<u8>> {
    let directory = workspace::own_cache().join("init");
    let path = directory.join(format!("{:016x}", key(architecture)?));
    // Read at once: another run may remove it, as one of many, at any moment.
    match read_and_mark(&path) {
        Ok(bytes) if check_static(&bytes).is_ok() => return Ok(bytes),
        Ok(_) => screen::show_note(&format!(
            "{} cannot be the guest's init: building it again",
            path.display()
        )),
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
    screen::show_progress("building the guest's init (once, about 15 s)");
    let built = build::compile_guest_init(architecture)?;
    let bytes = fs::read(&built).with_context(|| format!("cannot read {}", built.display()))?;
    if let Err(why) = check_static(&bytes) {
        return Err(Problem::machine(format!(
            "{} was built, and cannot be the guest's init: {why}",
            built.display()
        ))
        .help("cargo xtask doctor")
        .into());
    }
    put(&directory, &path, &bytes)?;
    Ok(bytes)
}

fn put(directory: &Path, path: &Path, bytes: &[u8]) -> Result<()> {
    fs::create_dir_all(directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    // Another run may be doing the same; a rename lets the last one win without anyone seeing half
    // a file.
    let temporary = directory.join(format!("{NEW}{}", std::process::id()));
    // What a dead run of the same number has left.
    let _ = fs::remove_file(&temporary);
    File::create_new(&temporary)
        .and_then(|mut file| file.write_all(bytes))
        .and_then(|()| fs::rename(&temporary, path))
        .with_context(|| format!("cannot write {}", path.display()))?;
    remove_oldest(directory, path);
    Ok(())
}

/// The guest has no dynamic loader: the kernel would say "No working init found", and panic.
fn check_static(program: &[u8]) -> Result<()> {
    let header = FileHeader64::<Endianness>::parse(program).context("it is not a program")?;
    let endian = header.endian()?;
    // At the end of the file: there only if it is whole.
    header
        .sections(endian, program)
        .context("it is cut short")?;
    let segments = header
        .program_headers(endian, program)
        .context("it is cut short")?;
    if segments
        .iter()
        .any(|segment| segment.p_type(endian) == PT_INTERP)
    {
        bail!("it is linked dynamically");
    }
    Ok(())
}

/// What a file is called until it is whole.
const NEW: &str = "new-";

/// Its time says when it was last used.
fn read_and_mark(path: &Path) -> std::io::Result<Vec<u8>> {
    let mut file = File::open(path)?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes)?;
    // A cache that cannot be written only means that its age counts.
    let _ = file.set_modified(SystemTime::now());
    Ok(bytes)
}

/// Removes inits that were not used for longest, and what is left of runs that were killed.
fn remove_oldest(directory: &Path, ours: &Path) {
    let mut others: Vec<(SystemTime, PathBuf)> = Vec::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_init = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
        if (is_init || name.starts_with(NEW)) && entry.path() != ours {
            let used = entry
                .metadata()
                .and_then(|data| data.modified())
                .unwrap_or(SystemTime::UNIX_EPOCH);
            others.push((used, entry.path()));
        }
    }
    others.sort();
    for (_, path) in others.iter().rev().skip(KEPT) {
        // Another run may have been quicker.
        let _ = fs::remove_file(path);
    }
}

/// All that the init is made of: its source, flags, profile and compiler, and what it is built for.
fn key(architecture: Architecture) -> Result<u64> {
    let mut key = Digest::default();
    for source in SOURCES {
        key.add_bytes(source);
        add_tree(&mut key, &workspace::workspace_root().join(source))?;
    }
    key.add_bytes(build::INIT_FLAGS);
    key.add_bytes(build::INIT_PROFILE);
    key.add_bytes(architecture.rust_target());
    key.add_bytes(toolchain::find_sysroot()?.as_os_str().as_encoded_bytes());
    Ok(key.digest_value())
}

fn add_tree(key: &mut Digest, path: &Path) -> Result<()> {
    let unreadable = || format!("cannot read {}", path.display());
    if path.is_dir() {
        let entries = fs::read_dir(path).with_context(unreadable)?;
        let mut paths = entries
            .map(|entry| Ok(entry?.path()))
            .collect::<std::io::Result<Vec<_>>>()?;
        paths.sort();
        return paths.iter().try_for_each(|path| add_tree(key, path));
    }
    key.add_bytes(path.file_name().unwrap_or_default().as_encoded_bytes());
    key.add_bytes(fs::read(path).with_context(unreadable)?);
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// Each program of a Linux distribution is linked dynamically, our own too.
    #[test]
    fn what_needs_a_loader_is_no_init() {
        let program = fs::read(std::env::current_exe().unwrap()).unwrap();
        assert_eq!(
            check_static(&program).unwrap_err().to_string(),
            "it is linked dynamically"
        );
        assert!(check_static(&program[..program.len() / 2]).is_err());
        assert!(check_static(b"").is_err());
    }

    /// In a workspace that has only the init's name and profile, so that it is built in a second.
    #[test]
    fn flags_of_the_users_do_not_make_it_dynamic() {
        let workspace = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(workspace.path().join(name), text).unwrap();
        write(
            "Cargo.toml",
            "package.name = 'guest'\nprofile.guest.inherits = 'release'\n",
        );
        fs::create_dir(workspace.path().join("src")).unwrap();
        write("src/main.rs", "fn main() {}");
        let target = workspace.path().join("target");
        let mut cargo = build::init_cargo(&target, Architecture::HOST);
        cargo
            .current_dir(workspace.path())
            .env("RUSTFLAGS", "-D warnings")
            .env("RUSTC_BOOTSTRAP", "0");
        let output = cargo.output().unwrap();
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let built = target
            .join(Architecture::HOST.rust_target())
            .join("guest/guest");
        check_static(&fs::read(built).unwrap()).unwrap();
    }

    #[test]
    fn the_ones_used_last_stay_and_other_files_too() {
        let temporary = tempfile::tempdir().unwrap();
        let directory = temporary.path();
        let inits: Vec<_> = (0..KEPT + 2)
            .map(|number| directory.join(format!("{number:016x}")))
            .collect();
        let others = ["bare", "bare.c", "notes"].map(|name| directory.join(name));
        for (age, path) in inits.iter().chain(&others).enumerate() {
            fs::write(path, "x").unwrap();
            let old = SystemTime::now() - Duration::from_secs(3600 + 60 * age as u64);
            File::options()
                .write(true)
                .open(path)
                .unwrap()
                .set_modified(old)
                .unwrap();
        }
        // The oldest is used, so the one before it is the next to go.
        assert_eq!(read_and_mark(&inits[KEPT + 1]).unwrap(), b"x");
        fs::write(directory.join("new-1"), "half a file of a run that goes on").unwrap();
        remove_oldest(directory, &inits[0]);
        let stay: Vec<_> = inits.iter().map(|path| path.exists()).collect();
        assert_eq!(
            stay,
            [true, true, false, false, true],
            "ours, one more, the used one"
        );
        assert!(others.iter().all(|path| path.exists()) && directory.join("new-1").exists());
    }
}
