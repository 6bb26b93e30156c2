//! Kernel modules that every guest has loaded before its snapshot is made: a snapshot serves all
//! lessons, and nothing in a guest loads modules on demand.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use lzma_rust2::XzReader;
use ruzstd::decoding::StreamingDecoder;

use super::module_info::read_dependencies;
use super::{Archive, read};

/// What the kernels of the matrix have as modules only, and lessons about the network need: a pair
/// of interfaces, and for tc the queueing discipline `clsact` with its filter for eBPF programs and
/// its action. All four together take 0.5 MB at most.
pub const WANTED: [&str; 4] = ["veth", "sch_ingress", "cls_bpf", "act_bpf"];

/// Modules of a kernel, unpacked, in the order in which they can be loaded.
#[derive(Default)]
pub struct Modules {
    files: Vec<(String, Vec<u8>)>,
    /// Those whose dependencies are being added.
    wanted: Vec<String>,
    /// What a person should know about those that are not here.
    pub notes: Vec<String>,
}

impl Modules {
    /// Those of these names, and what they depend on, in `directory`: the kernel's
    /// `lib/modules/RELEASE`. Most lessons need none: what is wrong with one is a note.
    pub fn find_modules(directory: Option<&Path>, names: &[&str]) -> Self {
        let mut modules = Self::default();
        let Some(directory) = directory else {
            let names = names.join(", ");
            modules.notes.push(format!(
                "the kernel came without modules: {names} work if it has them built in"
            ));
            return modules;
        };
        let mut available = BTreeMap::new();
        if let Err(error) = list(&directory.join("kernel"), &mut available) {
            modules
                .notes
                .push(format!("the kernel has no modules: {error:#}"));
        }
        for name in names {
            modules.wanted.clear();
            if let Err(error) = modules.add(name, &available) {
                modules
                    .notes
                    .push(format!("the guest has no module {name}: {error:#}"));
            }
        }
        modules
    }

    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// Adds a module after those that it depends on.
    fn add(&mut self, name: &str, available: &BTreeMap<String, PathBuf>) -> Result<()> {
        if self.files.iter().any(|(added, _)| added == name) {
            return Ok(());
        }
        let Some(path) = available.get(name) else {
            self.notes.push(format!(
                "the kernel has no module {name}: it is built in or absent"
            ));
            return Ok(());
        };
        let bytes = unpack(path).with_context(|| format!("cannot unpack {}", path.display()))?;
        let dependencies = read_dependencies(&bytes)
            .with_context(|| format!("cannot parse {}", path.display()))?;
        self.wanted.push(name.to_owned());
        for dependency in dependencies {
            if self.wanted.contains(&dependency) {
                bail!("{name} and {dependency} need each other");
            }
            self.add(&dependency, available)?;
        }
        self.wanted.pop();
        self.files.push((name.to_owned(), bytes));
        Ok(())
    }

    /// Puts them where the guest's init looks for them.
    pub fn put_into(&self, archive: &mut Archive) -> Result<()> {
        let directory = Path::new(plan::MODULES.trim_start_matches('/'));
        for (number, (name, bytes)) in self.files.iter().enumerate() {
            archive.add_file(directory.join(format!("{number:02}-{name}")), 0o600, bytes)?;
        }
        Ok(())
    }
}

/// All modules below `directory`, by the names that the kernel has for them.
fn list(directory: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot read {}", directory.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", directory.display()))?;
        if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
            list(&entry.path(), found)?;
        } else if let Some((name, _)) = entry.file_name().to_string_lossy().split_once(".ko") {
            found.insert(name.replace('-', "_"), entry.path());
        }
    }
    Ok(())
}

/// An emulated CPU unpacks slower than this one.
fn unpack(path: &Path) -> Result<Vec<u8>> {
    // With debug information; a guest could not hold it.
    const LARGEST: u64 = 512 << 20;
    let (packed, mut bytes) = (read(path)?, Vec::new());
    match path.extension().and_then(OsStr::to_str) {
        Some("ko") => return Ok(packed),
        Some("xz") => XzReader::new(packed.as_slice(), false)
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)?,
        Some("zst") => StreamingDecoder::new(packed.as_slice())?
            .take(LARGEST + 1)
            .read_to_end(&mut bytes)?,
        _ => bail!("its compression is unknown"),
    };
    ensure!(
        bytes.len() as u64 <= LARGEST,
        "it has more than {} MiB",
        LARGEST >> 20
    );
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The smallest file with a section `.modinfo`: a header, the texts, the names of the sections,
    /// three sections.
    fn module(depends: &str) -> Vec<u8> {
        const NAMES: &[u8] = b"\0.modinfo\0.shstrtab\0";
        let texts = format!("license=GPL\0depends={depends}\0name=x\0");
        let (texts_at, names_at) = (64, 64 + texts.len());
        let table_at = names_at + NAMES.len();
        let mut bytes = b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x01\0\x3e\0\x01\0\0\0".to_vec();
        [0, 0, table_at]
            .iter()
            .for_each(|word| bytes.extend((*word as u64).to_le_bytes()));
        bytes.extend([0, 0, 0, 0, 64, 0, 0, 0, 0, 0, 64, 0, 3, 0, 2, 0]);
        bytes.extend(texts.as_bytes());
        bytes.extend(NAMES);
        for (name, kind, at, length) in [
            (0, 0, 0, 0),
            (1, 1, texts_at, texts.len()),
            (10, 3, names_at, NAMES.len()),
        ] {
            bytes.extend([name, 0, 0, 0, kind, 0, 0, 0]);
            [0, 0, at, length, 0, 1, 0]
                .iter()
                .for_each(|word| bytes.extend((*word as u64).to_le_bytes()));
        }
        bytes
    }

    fn directory_with(modules: &[(&str, &[u8])]) -> tempfile::TempDir {
        let directory = tempfile::tempdir().unwrap();
        let net = directory.path().join("kernel/net");
        fs::create_dir_all(&net).unwrap();
        for (file, bytes) in modules {
            fs::write(net.join(file), bytes).unwrap();
        }
        directory
    }

    #[test]
    fn what_a_module_depends_on_comes_before_it_and_once() {
        let (veth, clsact, page_pool) = (
            module("page_pool,ptr_ring"),
            module("ptr-ring"),
            module("ptr_ring"),
        );
        let directory = directory_with(&[
            ("veth.ko", veth.as_slice()),
            ("sch_ingress.ko", clsact.as_slice()),
            ("page-pool.ko", page_pool.as_slice()),
            ("ptr_ring.ko", module("").as_slice()),
            ("unwanted.ko", b"not looked at"),
        ]);
        let modules = Modules::find_modules(Some(directory.path()), &WANTED);
        let names: Vec<_> = modules
            .files
            .iter()
            .map(|(name, _)| name.as_str())
            .collect();
        assert_eq!(names, ["ptr_ring", "page_pool", "veth", "sch_ingress"]);
        assert_eq!(
            modules.notes,
            ["cls_bpf", "act_bpf"]
                .map(|name| format!("the kernel has no module {name}: it is built in or absent"))
        );
        let mut archive = Archive::default();
        modules.put_into(&mut archive).unwrap();
        assert!(
            archive.contains_path("modules/00-ptr_ring")
                && archive.contains_path("modules/03-sch_ingress")
        );
    }

    #[test]
    fn modules_that_need_each_other_are_a_note() {
        let (veth, pool) = (module("page_pool"), module("veth"));
        let directory = directory_with(&[
            ("veth.ko", veth.as_slice()),
            ("page_pool.ko", pool.as_slice()),
            ("sch_ingress.ko", module("").as_slice()),
        ]);
        let modules = Modules::find_modules(Some(directory.path()), &["veth", "sch_ingress"]);
        assert_eq!(modules.files.len(), 1);
        assert_eq!(
            modules.notes,
            ["the guest has no module veth: page_pool and veth need each other"]
        );
    }

    #[test]
    fn a_missing_or_damaged_module_is_a_note() {
        let modules = Modules::find_modules(None, &WANTED);
        assert!(
            modules.files.is_empty() && modules.notes[0].contains("veth, sch_ingress, cls_bpf")
        );
        for (name, bytes) in [
            ("veth.ko", &b"no ELF"[..]),
            ("veth.ko.xz", b"no xz"),
            ("veth.ko.zst", b""),
            ("veth.ko.lz", b""),
        ] {
            let directory = directory_with(&[(name, bytes)]);
            let modules = Modules::find_modules(Some(directory.path()), &WANTED);
            assert!(
                modules.files.is_empty() && modules.notes[0].contains(name),
                "{:#?}",
                modules.notes
            );
        }
    }
}
