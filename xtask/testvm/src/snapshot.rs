//! Guests that have booted, saved in files: one for each kernel, QEMU, command line and init of
//! ours.
//!
//! ```text
//!   snapshots/6.12-vmlinux-0123456789abcdef-f3-m256-u1000
//!                                              the guest's memory as it is, its devices, a seal
//!   snapshots/6.12-vmlinux-f3-m256-u1000.lock  held while one of this kernel is made
//! ```
//!
//! A snapshot is code that runs with all rights inside a VM, so only the user's own are used; the
//! name holds the user. It holds the format too, so that two versions of xtask in one checkout
//! leave each other's alone, and the size of the guest's memory, so that guests of two sizes do
//! too.

use std::fmt;
use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use nix::libc::{O_NOFOLLOW, O_NONBLOCK};
use xxhash_rust::xxh3::Xxh3Default;

use crate::accel::Accel;
use crate::digest::Digest;
use crate::machine::Machine;
use crate::pages::visit_pages;
use crate::{image, qemu};

/// Of the file and its seal; another one is another file.
const FORMAT: u32 = 3;

const MAGIC: [u8; 8] = *b"xtsnapsh";

/// A magic number, the length of what comes before the seal, a hash of that, and a hash of the
/// snapshot's name.
const SEAL: u64 = 32;

/// What the size of a file with holes is counted in.
const BLOCK: u64 = 512;

/// So many failed resumes, one after the other, and it is not tried again.
const PATIENCE: usize = 3;

/// Where the snapshot of a machine is, whether or not there is one.
pub struct Snapshot {
    directory: PathBuf,
    /// What it is a snapshot of, for people.
    kernel: String,
    /// All that it depends on.
    key: u64,
    /// Its format, the size of its memory, and its user.
    whose: String,
}

impl Snapshot {
    /// The snapshot of this machine with this init.
    pub fn of_machine(machine: &Machine, init: &[u8]) -> Result<Self> {
        let mut key = Digest::default();
        // Modules need not be read: they come with their kernel.
        for file in [&machine.kernel, &machine.qemu]
            .into_iter()
            .chain(&machine.modules)
        {
            let data =
                fs::metadata(file).with_context(|| format!("cannot look at {}", file.display()))?;
            key.add_bytes(file.as_os_str().as_encoded_bytes());
            key.add_bytes(format!(
                "{} {} {}",
                data.len(),
                data.mtime(),
                data.mtime_nsec()
            ));
        }
        key.add_bytes(qemu::fingerprint_command_line(machine, Accel::Tcg));
        key.add_bytes(format!("{:?}", image::MODULES));
        key.add_bytes(init);
        let name = machine
            .kernel
            .file_name()
            .unwrap_or_default()
            .to_string_lossy();
        // Kernels of the matrix are all called vmlinux: their directories tell them apart.
        let directory = machine
            .kernel
            .parent()
            .and_then(Path::file_name)
            .unwrap_or_default()
            .to_string_lossy();
        Ok(Self {
            directory: machine.state.join("snapshots"),
            kernel: format!("{directory}-{name}"),
            key: key.digest_value(),
            whose: format!(
                "f{FORMAT}-m{}-u{}",
                machine.memory_mib,
                nix::unistd::geteuid().as_raw()
            ),
        })
    }

    pub fn file_path(&self) -> PathBuf {
        self.file("")
    }

    /// The file, ready to be resumed from; `None` when there is none. What cannot be used is
    /// removed, and said.
    pub fn open_sealed(&self) -> Result<Option<Sealed>> {
        let path = self.file_path();
        // A link that leads nowhere is something too.
        if path.symlink_metadata().is_err() {
            return Ok(None);
        }
        match open_sealed(&path) {
            Ok(sealed) => Ok(Some(sealed)),
            Err(error) => {
                clear(&path)?;
                Err(error.context("the snapshot was dropped"))
            }
        }
    }

    /// Whether resumes have failed so often that only another QEMU, kernel or init will change
    /// that.
    pub fn is_known_bad(&self) -> bool {
        fs::read_to_string(self.file(".bad"))
            .is_ok_and(|failures| failures.lines().count() >= PATIENCE)
    }

    /// Resuming failed: the file goes, and the failure is counted.
    pub fn count_failure(&self, why: &str) {
        // What cannot be removed is met again, and counted again.
        let _ = clear(&self.file_path());
        // If this cannot be written, the next run tries again.
        let _ = File::options()
            .append(true)
            .create(true)
            .custom_flags(O_NOFOLLOW)
            .open(self.file(".bad"))
            .and_then(|mut failures| {
                writeln!(failures, "{}", why.lines().next().unwrap_or_default())
            });
    }

    /// Resuming worked: earlier failures were chance.
    pub fn forget_failures(&self) {
        // There are hardly ever any.
        let _ = fs::remove_file(self.file(".bad"));
    }

    /// Lets one process at a time make a snapshot of this kernel. Returns once it is our turn.
    ///
    /// The lock has no key in its name: so it need not be removed with a snapshot, and nobody can
    /// hold a lock that others no longer see.
    pub fn wait_for_lock(&self) -> Result<File> {
        fs::create_dir_all(&self.directory)
            .with_context(|| format!("cannot create {}", self.directory.display()))?;
        let path = self
            .directory
            .join(format!("{}-{}.lock", self.kernel, self.whose));
        let mut options = File::options();
        options.write(true).create(true).truncate(false);
        options.custom_flags(O_NOFOLLOW);
        let opened = options.open(&path);
        let file = opened.with_context(|| format!("cannot create {}", path.display()))?;
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// Has `save` write the guest, seals the file and gives it its name. Nothing of a failed
    /// attempt stays. Returns how many bytes of the disk it takes.
    pub fn save_snapshot(&self, save: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
        let (temporary, path) = (self.file(".new"), self.file_path());
        // Before the work: what cannot be cleared away would make it useless.
        clear(&temporary)?;
        clear(&path)?;
        let made = write_sealed(&temporary, &path, save).and_then(|bytes| {
            fs::rename(&temporary, &path).context("cannot give the snapshot its name")?;
            Ok(bytes)
        });
        if made.is_err() {
            // It may never have been created.
            let _ = fs::remove_file(&temporary);
        } else {
            self.remove_older();
        }
        made
    }

    /// Snapshots of the same kernel, format and user that another QEMU or init has made useless,
    /// with what is next to them. Only for the one who holds the lock: nobody else is making one
    /// of these.
    fn remove_older(&self) {
        for entry in fs::read_dir(&self.directory)
            .into_iter()
            .flatten()
            .flatten()
        {
            if self.is_older(&entry.file_name().to_string_lossy()) {
                // Another user's run may have removed it already.
                let _ = clear(&entry.path());
            }
        }
    }

    fn is_older(&self, name: &str) -> bool {
        // One name may begin with another: what is left after a key must be nothing, or an ending.
        let rest = name.strip_prefix(&format!("{}-", self.kernel));
        let Some((key, rest)) = rest.and_then(|rest| rest.split_at_checked(16)) else {
            return false;
        };
        let is_key = key.bytes().all(|byte| byte.is_ascii_hexdigit());
        let ending = rest.strip_prefix(&format!("-{}", self.whose));
        let is_ours = ending.is_some_and(|ending| ending.is_empty() || ending.starts_with('.'));
        is_key && is_ours && key != format!("{:016x}", self.key)
    }

    fn file(&self, ending: &str) -> PathBuf {
        self.directory.join(format!(
            "{}-{:016x}-{}{ending}",
            self.kernel, self.key, self.whose
        ))
    }
}

/// Removes what is in a snapshot's place, whatever it is: all names there are ours.
fn clear(path: &Path) -> Result<()> {
    let removed = match path.symlink_metadata() {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            Err(error).with_context(|| format!("cannot clear {} away", path.display()))
        }
        _ => Ok(()),
    }
}

/// A snapshot that is whole by its length and its name. Whether its bytes are right takes a moment
/// to find out.
pub struct Sealed {
    file: File,
    seal: Seal,
}

impl Sealed {
    /// What QEMU loads, from here on in the file.
    pub fn file_from(&self, offset: u64) -> Result<&File> {
        let mut file = &self.file;
        file.seek(SeekFrom::Start(offset))
            .context("cannot seek in the snapshot")?;
        Ok(file)
    }

    /// Reads all of it: a guest of which a bit has flipped could do anything, or nearly the right
    /// thing.
    pub fn check_hash(&self) -> Result<()> {
        let found = hash_of(&self.file, self.seal.length).context("cannot read the snapshot")?;
        if found != self.seal.contents {
            bail!(DamagedSnapshot);
        }
        Ok(())
    }
}

/// What a seal shows, in contrast to a file that could not be read.
#[derive(Debug)]
pub struct DamagedSnapshot;

impl fmt::Display for DamagedSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the snapshot's bytes are not those that were written")
    }
}

impl std::error::Error for DamagedSnapshot {}

/// What a snapshot ends with.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Seal {
    length: u64,
    contents: u64,
}

impl Seal {
    fn to_bytes(self, name: &Path) -> [u8; SEAL as usize] {
        let mut hash = Digest::default();
        hash.add_bytes(name.file_name().unwrap_or_default().as_encoded_bytes());
        let mut bytes = [0; SEAL as usize];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..16].copy_from_slice(&self.length.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.contents.to_le_bytes());
        bytes[24..].copy_from_slice(&hash.digest_value().to_le_bytes());
        bytes
    }
}

fn write_sealed(path: &Path, name: &Path, save: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
    let mut options = File::options();
    options.read(true).write(true).create_new(true).mode(0o600);
    let mut file = options
        .open(path)
        .with_context(|| format!("cannot create {}", path.display()))?;
    save(&file)?;
    let length = file
        .seek(SeekFrom::End(0))
        .context("cannot measure the snapshot")?;
    ensure!(length > 0, "QEMU wrote nothing");
    let contents = hash_of(&file, length).context("cannot read the snapshot")?;
    file.write_all(&Seal { length, contents }.to_bytes(name))
        .context("cannot seal the snapshot")?;
    let data = file.metadata().context("cannot look at the snapshot")?;
    Ok(BLOCK * data.blocks())
}

fn open_sealed(path: &Path) -> Result<Sealed> {
    let mut options = File::options();
    // A pipe would wait for a writer.
    options.read(true).custom_flags(O_NOFOLLOW | O_NONBLOCK);
    let opened = options.open(path);
    let mut file = opened.with_context(|| format!("cannot open {}", path.display()))?;
    let data = file.metadata().context("cannot look at the snapshot")?;
    ensure!(data.is_file(), "{} is not a file", path.display());
    if data.uid() != nix::unistd::geteuid().as_raw() || data.mode() & 0o022 != 0 {
        bail!("{} can be written by others", path.display());
    }
    ensure!(data.len() > SEAL, "{} is cut short", path.display());
    let mut found = [0; SEAL as usize];
    file.seek(SeekFrom::End(-(SEAL as i64)))?;
    file.read_exact(&mut found)?;
    let contents = u64::from_le_bytes(*found[16..].first_chunk().context("a seal is longer")?);
    let seal = Seal {
        length: data.len() - SEAL,
        contents,
    };
    ensure!(
        found == seal.to_bytes(path),
        "{} is cut short, or not what its name says",
        path.display()
    );
    Ok(Sealed { file, seal })
}

/// The hash of the first `length` bytes. The position in the file, which QEMU shares, stays as it
/// is.
fn hash_of(file: &File, length: u64) -> std::io::Result<u64> {
    let with_own_position = File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let mut hash = Xxh3Default::new();
    visit_pages(&with_own_position, length, |at, page| {
        hash.update(&at.to_le_bytes());
        hash.update(page);
        Ok(())
    })?;
    Ok(hash.digest())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn snapshot_in(directory: &tempfile::TempDir) -> Snapshot {
        Snapshot {
            directory: directory.path().to_owned(),
            kernel: "6.12-vmlinux".into(),
            key: 0x123,
            whose: "f2-u1".into(),
        }
    }

    fn make(snapshot: &Snapshot) {
        snapshot
            .save_snapshot(|mut file| Ok(file.write_all(b"a guest")?))
            .unwrap();
    }

    #[test]
    fn a_whole_one_is_read_from_anywhere() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        assert!(snapshot.open_sealed().unwrap().is_none());
        make(&snapshot);
        let sealed = snapshot.open_sealed().unwrap().unwrap();
        sealed.check_hash().unwrap();
        let mut text = [0; 7];
        let mut file = sealed.file_from(0).unwrap();
        file.read_exact(&mut text).unwrap();
        assert_eq!(&text, b"a guest");
    }

    #[test]
    fn one_that_is_cut_short_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        for length in [0, 3, 15, 30, 38] {
            make(&snapshot);
            File::options()
                .write(true)
                .open(snapshot.file_path())
                .unwrap()
                .set_len(length)
                .unwrap();
            assert!(snapshot.open_sealed().is_err(), "{length} bytes");
            assert!(
                snapshot.open_sealed().unwrap().is_none(),
                "it should be gone"
            );
        }
    }

    #[test]
    fn any_flipped_bit_is_noticed() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        make(&snapshot);
        let good = fs::read(snapshot.file_path()).unwrap();
        for bit in 0..good.len() * 8 {
            let mut bytes = good.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            make(&snapshot);
            fs::write(snapshot.file_path(), bytes).unwrap();
            let opened = snapshot.open_sealed();
            assert!(
                opened.is_err() || opened.unwrap().unwrap().check_hash().is_err(),
                "bit {bit}"
            );
        }
    }

    #[test]
    fn one_of_another_name_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        make(&snapshot);
        let other = Snapshot {
            kernel: "6.1-vmlinux".into(),
            ..snapshot_in(&directory)
        };
        fs::rename(snapshot.file_path(), other.file_path()).unwrap();
        assert!(other.open_sealed().is_err());
    }

    #[test]
    fn whatever_lies_in_its_place_is_cleared_away() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        let occupy: [fn(&Path); 3] = [
            |path| fs::create_dir_all(path.join("a/directory")).unwrap(),
            |path| std::os::unix::fs::symlink("/nowhere", path).unwrap(),
            |path| std::os::unix::fs::symlink(std::env::temp_dir(), path).unwrap(),
        ];
        for occupy in occupy {
            occupy(&snapshot.file_path());
            occupy(&snapshot.file(".new"));
            assert!(snapshot.open_sealed().is_err());
            assert!(
                snapshot.open_sealed().unwrap().is_none(),
                "it should be gone"
            );
            make(&snapshot);
            clear(&snapshot.file_path()).unwrap();
        }
        assert!(std::env::temp_dir().exists(), "a link was followed");
    }

    #[test]
    fn a_link_to_a_whole_one_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        make(&snapshot);
        let other = directory.path().join("other");
        fs::rename(snapshot.file_path(), &other).unwrap();
        std::os::unix::fs::symlink(&other, snapshot.file_path()).unwrap();
        assert!(snapshot.open_sealed().is_err());
        assert!(snapshot.open_sealed().unwrap().is_none());
        assert!(other.exists());
    }

    #[test]
    fn a_link_in_place_of_a_lock_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        drop(snapshot.wait_for_lock().unwrap());
        let (lock, other) = (
            snapshot.directory.join("6.12-vmlinux-f2-u1.lock"),
            directory.path().join("other"),
        );
        fs::rename(&lock, &other).unwrap();
        std::os::unix::fs::symlink(&other, &lock).unwrap();
        assert!(snapshot.wait_for_lock().is_err());
    }

    #[test]
    fn only_failures_in_a_row_condemn() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        for _ in 0..PATIENCE - 1 {
            snapshot.count_failure("QEMU ended\nand more");
        }
        assert!(!snapshot.is_known_bad());
        snapshot.count_failure("QEMU ended");
        assert!(snapshot.is_known_bad());
        snapshot.forget_failures();
        assert!(!snapshot.is_known_bad());
    }

    #[test]
    fn one_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        make(&snapshot);
        fs::set_permissions(snapshot.file_path(), fs::Permissions::from_mode(0o666)).unwrap();
        assert!(snapshot.open_sealed().is_err());
    }

    #[test]
    fn a_failed_save_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        assert!(
            snapshot
                .save_snapshot(|_| bail!("the disk is full"))
                .is_err()
        );
        assert_eq!(fs::read_dir(&snapshot.directory).unwrap().count(), 0);
    }

    #[test]
    fn older_ones_go_and_those_of_others_stay() {
        let directory = tempfile::tempdir().unwrap();
        let snapshot = snapshot_in(&directory);
        let older = [
            "6.12-vmlinux-0000000000000999-f2-u1",
            "6.12-vmlinux-0000000000000999-f2-u1.bad",
        ];
        let others = [
            "6.12-vmlinux-0000000000000999-f1-u1",
            "6.12-vmlinux-0000000000000999-f2-u2",
            "6.12-vmlinux-0000000000000999-f2-u10",
            "6.12-vmlinux-0000000000000999-f2-m512-u1",
            "6.12-vmlinux-f2-u1.lock",
            "6.12-vmlinux-other-0000000000000999-f2-u1",
            "6.1-vmlinux-0000000000000999-f2-u1",
        ];
        for name in older.iter().chain(&others) {
            fs::write(snapshot.directory.join(name), "x").unwrap();
        }
        drop(snapshot.wait_for_lock().unwrap());
        make(&snapshot);
        assert!(
            !older
                .iter()
                .any(|name| snapshot.directory.join(name).exists())
        );
        assert!(
            others
                .iter()
                .all(|name| snapshot.directory.join(name).exists())
        );
        assert_eq!(
            fs::read_dir(&snapshot.directory).unwrap().count(),
            others.len() + 1
        );
    }
}
