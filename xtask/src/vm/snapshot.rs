//! Guests that have booted, saved in files: one for each kernel, QEMU, command line and init of ours.
//!
//! ```text
//!   .cache/snapshots/vmlinux-0123456789abcdef-u1000         the guest, then a seal
//!   .cache/snapshots/vmlinux-0123456789abcdef-u1000.lock    held while it is made
//! ```
//!
//! A snapshot is code that runs with all rights inside a VM, so only the user's own are used; the name holds the user.

use std::fs::{self, File};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use super::{Accel, Machine, qemu};
use crate::workspace;

const MAGIC: [u8; 8] = *b"xtsnap01";

/// A magic number, the length of what comes before it, and a hash of the snapshot's name.
const SEAL: u64 = 24;

/// So many failed resumes, one after the other, and it is not tried again.
const PATIENCE: usize = 3;

/// Where the snapshot of a machine is, whether or not there is one.
pub struct Snapshot {
    path: PathBuf,
}

impl Snapshot {
    /// The snapshot of this machine with this initial file system.
    pub fn of(machine: &Machine, initramfs: &[u8]) -> Result<Self> {
        let mut key = DefaultHasher::new();
        for file in [&machine.kernel, &machine.qemu] {
            let data = fs::metadata(file).with_context(|| format!("cannot look at {}", file.display()))?;
            (file, data.len(), data.mtime(), data.mtime_nsec()).hash(&mut key);
        }
        qemu::fingerprint(machine, Accel::Tcg).hash(&mut key);
        key.write(initramfs);
        let name = machine.kernel.file_name().unwrap_or_default().to_string_lossy();
        // Kernels of the matrix are all called vmlinux: their folders tell them apart.
        let folder = machine.kernel.parent().and_then(Path::file_name).unwrap_or_default().to_string_lossy();
        let user = rustix::process::geteuid().as_raw();
        let file = format!("{folder}-{name}-{:016x}-u{user}", key.finish());
        Ok(Self { path: workspace::own_cache().join("snapshots").join(file) })
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The file, ready to be resumed from; `None` when there is none. What cannot be used is removed, and said.
    pub fn open(&self) -> Result<Option<File>> {
        if !self.path.exists() {
            return Ok(None);
        }
        match open_whole(&self.path) {
            Ok(file) => Ok(Some(file)),
            Err(error) => {
                self.remove();
                Err(error)
            }
        }
    }

    /// Whether resumes have failed so often that only another QEMU, kernel or init will change that.
    pub fn is_known_bad(&self) -> bool {
        fs::read_to_string(self.beside("bad")).is_ok_and(|failures| failures.lines().count() >= PATIENCE)
    }

    /// Resuming failed: the file goes, and the failure is counted.
    pub fn condemn(&self, why: &str) {
        self.remove();
        // If this cannot be written, the next run finds out anew.
        let _ = File::options()
            .append(true)
            .create(true)
            .open(self.beside("bad"))
            .and_then(|mut failures| writeln!(failures, "{}", why.lines().next().unwrap_or_default()));
    }

    /// Resuming worked: earlier failures were chance.
    pub fn praise(&self) {
        // There are hardly ever any.
        let _ = fs::remove_file(self.beside("bad"));
    }

    /// Lets one process at a time make the snapshot. Returns once it is our turn.
    pub fn lock(&self) -> Result<File> {
        let folder = self.path.parent().context("a snapshot lies in a folder")?;
        fs::create_dir_all(folder).with_context(|| format!("cannot create {}", folder.display()))?;
        let path = self.beside("lock");
        let file = File::create(&path).with_context(|| format!("cannot create {}", path.display()))?;
        file.lock().with_context(|| format!("cannot lock {}", path.display()))?;
        Ok(file)
    }

    /// Has `save` write the guest, seals the file and gives it its name. Nothing of a failed attempt stays.
    /// Returns its size in bytes.
    pub fn make(&self, save: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
        let temporary = self.beside("new");
        let made = write_sealed(&temporary, &self.path, save).and_then(|bytes| {
            fs::rename(&temporary, &self.path).context("cannot give the snapshot its name")?;
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

    fn remove(&self) {
        // It may be gone, or not ours to remove; then it is not used all the same.
        let _ = fs::remove_file(&self.path);
    }

    /// Snapshots of the same kernel and user that another QEMU or init has made useless.
    fn remove_older(&self) {
        let (Some(folder), Some(name)) = (self.path.parent(), self.path.file_name()) else { return };
        let name = name.to_string_lossy();
        let Some((kernel, rest)) = name.rsplit_once("-u").and_then(|(start, user)| {
            start.rsplit_once('-').map(|(kernel, _)| (kernel.to_owned(), format!("-u{user}")))
        }) else {
            return;
        };
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let other = entry.file_name().to_string_lossy().into_owned();
            let same_kernel = other.starts_with(&format!("{kernel}-")) && other.contains(&rest);
            if same_kernel && !other.starts_with(&*name) {
                // Another run may have removed it already.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut path = self.path.clone().into_os_string();
        path.push(".");
        path.push(ending);
        path.into()
    }
}

fn write_sealed(path: &Path, name: &Path, save: impl FnOnce(&File) -> Result<()>) -> Result<u64> {
    let mut options = File::options();
    options.read(true).write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).with_context(|| format!("cannot create {}", path.display()))?;
    save(&file)?;
    let length = file.seek(SeekFrom::End(0)).context("cannot measure the snapshot")?;
    ensure!(length > 0, "QEMU wrote nothing");
    file.write_all(&seal(length, name)).context("cannot seal the snapshot")?;
    Ok(length)
}

/// What a whole snapshot of this name ends with.
fn seal(length: u64, name: &Path) -> [u8; SEAL as usize] {
    let mut hash = DefaultHasher::new();
    name.file_name().hash(&mut hash);
    let mut seal = [0; SEAL as usize];
    seal[..8].copy_from_slice(&MAGIC);
    seal[8..16].copy_from_slice(&length.to_le_bytes());
    seal[16..].copy_from_slice(&hash.finish().to_le_bytes());
    seal
}

fn open_whole(path: &Path) -> Result<File> {
    let mut file = File::open(path).with_context(|| format!("cannot open {}", path.display()))?;
    let data = file.metadata().context("cannot look at the snapshot")?;
    if data.uid() != rustix::process::geteuid().as_raw() || data.mode() & 0o022 != 0 {
        bail!("{} can be written by others", path.display());
    }
    ensure!(data.len() > SEAL, "{} is cut short", path.display());
    let mut found = [0; SEAL as usize];
    file.seek(SeekFrom::End(-(SEAL as i64)))?;
    file.read_exact(&mut found)?;
    let right = seal(data.len() - SEAL, path);
    ensure!(found == right, "{} is cut short, or not what its name says", path.display());
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn in_folder(name: &str) -> Snapshot {
        let folder = std::env::temp_dir().join(format!("xtask-snapshot-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Snapshot { path: folder.join("6.12-vmlinux-0123-u0") }
    }

    fn make(snapshot: &Snapshot) {
        snapshot.make(|mut file| Ok(file.write_all(b"a guest")?)).unwrap();
    }

    fn end(snapshot: &Snapshot) {
        fs::remove_dir_all(snapshot.path.parent().unwrap()).unwrap();
    }

    #[test]
    fn a_whole_one_opens_at_its_start() {
        let snapshot = in_folder("whole");
        assert!(snapshot.open().unwrap().is_none());
        make(&snapshot);
        let mut text = [0; 7];
        snapshot.open().unwrap().unwrap().read_exact(&mut text).unwrap();
        assert_eq!(&text, b"a guest");
        end(&snapshot);
    }

    #[test]
    fn one_that_is_cut_short_is_removed() {
        let snapshot = in_folder("short");
        for length in [0, 3, 15, 30] {
            make(&snapshot);
            File::options().write(true).open(&snapshot.path).unwrap().set_len(length).unwrap();
            assert!(snapshot.open().is_err(), "{length} bytes");
            assert!(snapshot.open().unwrap().is_none(), "it should be gone");
        }
        end(&snapshot);
    }

    #[test]
    fn one_of_another_name_is_removed() {
        let snapshot = in_folder("name");
        make(&snapshot);
        let other = Snapshot { path: snapshot.path.with_file_name("6.1-vmlinux-4567-u0") };
        fs::rename(&snapshot.path, &other.path).unwrap();
        assert!(other.open().is_err());
        end(&snapshot);
    }

    #[test]
    fn only_failures_in_a_row_condemn() {
        let snapshot = in_folder("failures");
        for _ in 0..PATIENCE - 1 {
            snapshot.condemn("QEMU ended\nand more");
        }
        assert!(!snapshot.is_known_bad());
        snapshot.condemn("QEMU ended");
        assert!(snapshot.is_known_bad());
        snapshot.praise();
        assert!(!snapshot.is_known_bad());
        end(&snapshot);
    }

    #[test]
    fn one_that_others_can_write_is_not_used() {
        use std::os::unix::fs::PermissionsExt;
        let snapshot = in_folder("others");
        make(&snapshot);
        fs::set_permissions(&snapshot.path, fs::Permissions::from_mode(0o666)).unwrap();
        assert!(snapshot.open().is_err());
        end(&snapshot);
    }

    #[test]
    fn a_failed_save_leaves_nothing_and_older_ones_go() {
        let snapshot = in_folder("older");
        let older = snapshot.path.with_file_name("6.12-vmlinux-9999-u0");
        let other = snapshot.path.with_file_name("6.1-vmlinux-9999-u0");
        fs::write(&older, "x").unwrap();
        fs::write(&other, "x").unwrap();
        assert!(snapshot.make(|_| bail!("the disk is full")).is_err());
        assert!(older.exists() && fs::read_dir(snapshot.path.parent().unwrap()).unwrap().count() == 2);
        make(&snapshot);
        assert!(!older.exists() && other.exists());
        end(&snapshot);
    }
}
