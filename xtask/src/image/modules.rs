//! Kernel modules that every guest has loaded before its snapshot is made: a snapshot serves all lessons, and nothing
//! in a guest loads modules on demand.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use lzma_rust2::XzReader;
use object::{Object, ObjectSection};
use ruzstd::decoding::StreamingDecoder;

use super::{Archive, read};

/// What the kernels of the matrix have as modules only, and lessons about the network need: a pair of interfaces, and
/// for tc the queueing discipline `clsact` with its filter for eBPF programs. All three together take 0.4 MB at most.
pub const WANTED: [&str; 3] = ["veth", "sch_ingress", "cls_bpf"];

/// Modules of a kernel, unpacked, in the order in which they can be loaded.
#[derive(Default)]
pub struct Modules {
    files: Vec<(String, Vec<u8>)>,
    /// What a person should know about those that are not here.
    pub notes: Vec<String>,
}

impl Modules {
    /// Those in `folder`, the kernel's `lib/modules/RELEASE`.
    pub fn find(folder: Option<&Path>) -> Result<Self> {
        let mut modules = Self::default();
        let Some(folder) = folder else {
            modules.notes.push(format!(
                "the kernel came without modules: {} work if it has them built in",
                WANTED.join(", ")
            ));
            return Ok(modules);
        };
        let mut available = BTreeMap::new();
        list(&folder.join("kernel"), &mut available)?;
        for name in WANTED {
            modules.add(name, &available)?;
        }
        Ok(modules)
    }

    /// Adds a module after those that it depends on.
    fn add(&mut self, name: &str, available: &BTreeMap<String, PathBuf>) -> Result<()> {
        if self.files.iter().any(|(added, _)| added == name) {
            return Ok(());
        }
        let Some(path) = available.get(name) else {
            self.notes.push(format!("the kernel has no module {name}: it is built in or absent"));
            return Ok(());
        };
        let bytes = unpack(path).with_context(|| format!("cannot unpack {}", path.display()))?;
        for dependency in
            dependencies(&bytes).with_context(|| format!("cannot understand {}", path.display()))?
        {
            self.add(&dependency, available)?;
        }
        self.files.push((name.to_owned(), bytes));
        Ok(())
    }

    /// Puts them where the guest's init looks for them.
    pub fn put_into(&self, archive: &mut Archive) -> Result<()> {
        let folder = Path::new(plan::MODULES.trim_start_matches('/'));
        for (number, (name, bytes)) in self.files.iter().enumerate() {
            archive.file(folder.join(format!("{number:02}-{name}")), 0o600, bytes)?;
        }
        Ok(())
    }
}

/// All modules below `folder`, by the names that the kernel has for them.
fn list(folder: &Path, found: &mut BTreeMap<String, PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot read {}", folder.display()))?;
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
    let (packed, mut bytes) = (read(path)?, Vec::new());
    match path.extension().and_then(OsStr::to_str) {
        Some("ko") => return Ok(packed),
        Some("xz") => XzReader::new(packed.as_slice(), false).read_to_end(&mut bytes)?,
        Some("zst") => StreamingDecoder::new(packed.as_slice())?.read_to_end(&mut bytes)?,
        _ => bail!("its compression is unknown"),
    };
    Ok(bytes)
}

/// `depends=a,b` in the section `.modinfo`, a list of texts that each end with a zero.
fn dependencies(module: &[u8]) -> Result<Vec<String>> {
    let file = object::File::parse(module)?;
    let section = file.section_by_name(".modinfo").context("it is no kernel module")?;
    let texts = section.data()?.split(|byte| *byte == 0);
    let names = texts
        .filter_map(|text| text.strip_prefix(b"depends="))
        .flat_map(|list| list.split(|byte| *byte == b','));
    Ok(names
        .filter(|name| !name.is_empty())
        .map(|name| String::from_utf8_lossy(name).replace('-', "_"))
        .collect())
}
