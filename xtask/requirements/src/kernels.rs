//! The kernels of the matrix, as Debian builds them: which suite has them, how they get into the
//! cache.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use checkout::workspace;
use kernel::{Kernel, MATRIX, Version};
use problem::Problem;
use serde::{Deserialize, Serialize};

use crate::apt::{Package, Suite};
use crate::record::{self, State};
use crate::requirement::{Need, Requirement};
use crate::site::{self, Site};
use crate::step::{Step, megabytes};
use crate::{fault, vmlinux};

const SUITES: [(&str, &str); 5] = [
    ("5.10", "bullseye-security"),
    ("6.1", "bookworm"),
    ("6.12", "trixie"),
    ("6.18", "trixie-backports"),
    ("7.3", "trixie-backports"),
];

/// A kernel with its modules takes up to 50 MB as a package, 200 MB unpacked, 90 MB in the cache.
const ROOM: u64 = 400_000_000;

/// Modules that a lesson, the guest or a curious learner can use in the VM. The rest (drivers of
/// real hardware, disk and network file systems) is three quarters of the bytes.
const KEPT: [&str; 16] = [
    "arch/",
    "block/",
    "crypto/",
    "lib/",
    "mm/",
    "net/",
    "virt/",
    "drivers/block/",
    "drivers/char/",
    "drivers/net/",
    "drivers/vhost/",
    "drivers/virtio/",
    "fs/9p/",
    "fs/fuse/",
    "fs/netfs/",
    "fs/overlayfs/",
];
/// Below `drivers/net/` stand the virtual devices; its folders are for hardware.
const SHALLOW: &str = "drivers/net/";

/// A kernel of the matrix, as Debian builds it.
pub struct DebianKernel {
    pub name: &'static str,
}

pub static KERNELS: [DebianKernel; MATRIX.len()] = [
    DebianKernel { name: MATRIX[0] },
    DebianKernel { name: MATRIX[1] },
    DebianKernel { name: MATRIX[2] },
    DebianKernel { name: MATRIX[3] },
    DebianKernel { name: MATRIX[4] },
];

/// What a command needs that boots this kernel of the matrix.
pub fn require_kernel(name: &str) -> Result<Need> {
    let found = KERNELS.iter().find(|kernel| kernel.name == name);
    Ok(found.ok_or_else(|| unknown_kernel(name))?)
}

impl Requirement for DebianKernel {
    fn name(&self) -> String {
        format!("kernel {}", self.name)
    }

    fn is_met(&self) -> bool {
        is_there(self.name)
    }

    fn is_whole(&self) -> bool {
        self.is_met() && is_whole(self.name)
    }

    fn bytes(&self) -> u64 {
        ROOM
    }

    fn plan(&self) -> Option<String> {
        let source = source(self.name);
        Some(format!("{source}: fetch 20 to 50 MB, keep 65 to 90 MB"))
    }

    fn has_updates(&self) -> bool {
        true
    }

    fn meet(&self, site: &Site, update: bool) -> Result<()> {
        fetch_kernel(site, self.name, update)
    }
}

/// What was taken, written down so that reports can say it and a repair takes the same.
#[derive(Debug, Deserialize, Serialize)]
struct Taken {
    suite: String,
    package: String,
    version: String,
    release: String,
    image: String,
}

/// The kernel of that name from the cache; nothing is fetched.
pub fn find_kernel(name: &str) -> Result<Kernel> {
    let folder = folder(name);
    let taken = match record::glance(&folder) {
        State::Whole => taken(&folder)?,
        State::Absent => return Err(unusable(name, "is not here yet").into()),
        State::Changed => return Err(unusable(name, "was changed or damaged after set-up").into()),
    };
    Ok(Kernel {
        name: name.to_owned(),
        origin: format!(
            "Debian {}, {} {}",
            taken.suite, taken.package, taken.version
        ),
        image: folder.join(&taken.image),
        modules: Some(folder.join("lib/modules").join(&taken.release)),
        release: taken.release,
    })
}

fn unusable(name: &str, why: &str) -> Problem {
    Problem::machine(format!("kernel {name} {why}")).help("cargo xtask setup")
}

pub fn folder(name: &str) -> PathBuf {
    workspace::cache().join("kernels").join(name)
}

pub fn is_there(name: &str) -> bool {
    record::glance(&folder(name)) == State::Whole
}

pub fn is_whole(name: &str) -> bool {
    record::inspect(&folder(name)) == State::Whole
}

/// Where it comes from, for a plan.
pub fn source(name: &str) -> String {
    format!("from Debian {}", suite_name(name).unwrap_or("?"))
}

/// Fetches the kernel: the version that was taken before if the suite still has it, else the
/// newest, which is also what `newest` asks for.
fn fetch_kernel(site: &Site, name: &str, newest: bool) -> Result<()> {
    site::may_fill_cache(site)?;
    let suite = suite_name(name)?;
    let before = taken(&folder(name)).ok();
    let suite = Suite::open(site, suite)?;
    let candidates = suite.search(&pattern(name))?;
    let kept = before.as_ref().filter(|_| !newest);
    let package = choose(candidates, kept).ok_or_else(|| {
        Problem::machine(format!(
            "Debian {} has no kernel {name} any more",
            suite.name
        ))
        .help("name a mirror that has it: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup")
    })?;
    if record::inspect(&folder(name)) == State::Whole
        && before.is_some_and(|taken| taken.version == package.version)
    {
        return Ok(());
    }
    let step = site.step(
        &format!("kernel {name}"),
        &format!("{} {}", package.name, package.version),
    );
    let unpacked = site.stage("unpacked")?;
    suite.unpack(site, &parts(&suite, &package)?, &unpacked, &step)?;
    let staged = site.stage("kernel")?;
    step.progress("unpacking the image");
    let (release, image) = arrange(&unpacked, &staged, &step)?;
    let taken = Taken {
        suite: suite.name.clone(),
        package: package.name,
        version: package.version,
        release,
        image,
    };
    let text = serde_json::to_string_pretty(&taken)
        .context("failed to write down the kernel's version")?;
    put(&staged.join("kernel.json"), text.as_bytes())?;
    record::write(&staged)?;
    site.publish(&staged, &folder(name))?;
    let size = megabytes(record::bytes(&folder(name)));
    step.done(&format!("Linux {} in place, {size}", taken.release));
    Ok(())
}

fn suite_name(name: &str) -> Result<&'static str> {
    SUITES
        .iter()
        .find(|(kernel, _)| *kernel == name)
        .map(|(_, suite)| *suite)
        .ok_or_else(|| unknown_kernel(name).into())
}

fn unknown_kernel(name: &str) -> Problem {
    Problem::usage(format!("the course has no kernel '{name}'"))
        .help(format!("it has {}", MATRIX.join(", ")))
}

fn taken(folder: &Path) -> Result<Taken> {
    let path = folder.join("kernel.json");
    let text = fs::read(&path).with_context(|| format!("failed to read {}", path.display()))?;
    serde_json::from_slice(&text)
        .with_context(|| format!("failed to understand {}", path.display()))
}

fn pattern(name: &str) -> String {
    format!(
        r"^linux-image-{}\.[^-]*(-[0-9]+)?-cloud-amd64$",
        name.replace('.', r"\.")
    )
}

fn choose(candidates: Vec<Package>, before: Option<&Taken>) -> Option<Package> {
    let same = |package: &Package, taken: &Taken| {
        package.name == taken.package && package.version == taken.version
    };
    if let Some(taken) = before
        && let Some(found) = candidates.iter().find(|package| same(package, taken))
    {
        return Some(found.clone());
    }
    candidates
        .into_iter()
        .max_by_key(|package| Version::parse(&package.version))
}

/// Since 7.2 the image package is empty and depends on one with the image and one with the modules.
fn parts(suite: &Suite, image: &Package) -> Result<Vec<Package>> {
    let split = |dependency: &str| {
        dependency.starts_with("linux-binary-") || dependency.starts_with("linux-modules-")
    };
    let names: Vec<&str> = image
        .depends
        .split([',', '|'])
        .filter_map(|part| part.split_whitespace().next())
        .filter(|name| split(name))
        .collect();
    if names.is_empty() {
        return Ok(vec![image.clone()]);
    }
    let parts = suite
        .show(&names)?
        .into_iter()
        .filter(|part| part.version == image.version)
        .collect();
    Ok(parts)
}

/// From the layout of the packages to the cache's: the image beside `lib/modules/RELEASE`. Returns
/// the release and the name of the image file.
fn arrange(unpacked: &Path, staged: &Path, step: &Step) -> Result<(String, String)> {
    let modules = ["usr/lib/modules", "lib/modules"]
        .iter()
        .map(|path| unpacked.join(path))
        .find(|path| path.is_dir());
    let modules = modules.context("the kernel's package has no modules")?;
    let release = only_entry(&modules)?;
    let modules = modules.join(&release);
    let images = [
        unpacked.join(format!("boot/vmlinuz-{release}")),
        modules.join("vmlinuz"),
    ];
    let image = images
        .iter()
        .find(|path| path.is_file())
        .context("the kernel's package has no image")?;
    let bzimage = fs::read(image).with_context(|| format!("failed to read {}", image.display()))?;
    let (name, bytes) = match vmlinux::cut(&bzimage) {
        Ok(vmlinux) => ("vmlinux", vmlinux),
        Err(error) => {
            step.line(&format!(
                "keeping the compressed image, which boots about a second later: {error:#}"
            ));
            ("bzImage", bzimage)
        }
    };
    put(&staged.join(name), &bytes)?;
    keep_modules(&modules, &staged.join("lib/modules").join(&release))?;
    Ok((release, name.to_owned()))
}

fn only_entry(folder: &Path) -> Result<String> {
    let mut entries = fs::read_dir(folder)
        .with_context(|| format!("failed to list {}", folder.display()))?
        .flatten();
    let entry = entries
        .next()
        .with_context(|| format!("{} is empty", folder.display()))?;
    Ok(entry.file_name().to_string_lossy().into_owned())
}

fn keep_modules(from: &Path, to: &Path) -> Result<()> {
    for name in [
        "modules.builtin",
        "modules.builtin.modinfo",
        "modules.order",
    ] {
        if from.join(name).is_file() {
            move_file(&from.join(name), &to.join(name))?;
        }
    }
    keep_below(&from.join("kernel"), Path::new(""), &to.join("kernel"))
}

fn keep_below(root: &Path, below: &Path, to: &Path) -> Result<()> {
    let folder = root.join(below);
    for entry in fs::read_dir(&folder)
        .with_context(|| format!("failed to list {}", folder.display()))?
        .flatten()
    {
        let path = below.join(entry.file_name());
        if root.join(&path).is_dir() {
            keep_below(root, &path, to)?;
        } else if is_kept(&path.to_string_lossy()) {
            move_file(&root.join(&path), &to.join(&path))?;
        }
    }
    Ok(())
}

fn is_kept(path: &str) -> bool {
    let shallow = path
        .strip_prefix(SHALLOW)
        .is_none_or(|rest| !rest.contains('/'));
    shallow && KEPT.iter().any(|kept| path.starts_with(kept))
}

fn move_file(from: &Path, to: &Path) -> Result<()> {
    if let Some(folder) = to.parent() {
        site::make(folder)?;
    }
    fs::rename(from, to)
        .map_err(|error| fault::io(format!("move {}", from.display()), &error).into())
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes)
        .map_err(|error| fault::io(format!("write {}", path.display()), &error).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(name: &str, version: &str) -> Package {
        Package {
            name: name.to_owned(),
            version: version.to_owned(),
            ..Package::default()
        }
    }

    #[test]
    fn every_kernel_of_the_matrix_has_a_suite() {
        assert_eq!(SUITES.map(|(name, _)| name), MATRIX);
        assert!(
            suite_name("4.19")
                .unwrap_err()
                .to_string()
                .contains("no kernel '4.19'")
        );
    }

    #[test]
    fn newest_is_taken_unless_one_was_taken_before() {
        let offered = || {
            vec![
                package("a-9", "6.18.9-1"),
                package("a-15", "6.18.15-1"),
                package("a-12", "6.18.12-1"),
            ]
        };
        assert_eq!(choose(offered(), None).unwrap().name, "a-15");
        let mut taken = Taken {
            suite: String::new(),
            package: "a-12".to_owned(),
            version: "6.18.12-1".to_owned(),
            release: String::new(),
            image: String::new(),
        };
        assert_eq!(choose(offered(), Some(&taken)).unwrap().name, "a-12");
        taken.version = "6.18.2-1".to_owned();
        assert_eq!(
            choose(offered(), Some(&taken)).unwrap().name,
            "a-15",
            "gone from the suite"
        );
        assert!(choose(Vec::new(), None).is_none());
    }

    #[test]
    fn only_modules_that_a_vm_can_use_are_kept() {
        for kept in [
            "drivers/net/veth.ko.xz",
            "net/sched/cls_bpf.ko",
            "drivers/block/virtio_blk.ko",
            "fs/fuse/virtiofs.ko",
        ] {
            assert!(is_kept(kept), "{kept}");
        }
        for dropped in [
            "drivers/net/ethernet/intel/e1000.ko",
            "fs/xfs/xfs.ko",
            "drivers/gpu/drm/drm.ko",
        ] {
            assert!(!is_kept(dropped), "{dropped}");
        }
    }
}
