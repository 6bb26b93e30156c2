//! Kernels as Debian builds them: `kernels.lock` says which, this module brings
//! them into the cache.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use anyhow::{Context, Result, bail};
use checkout::workspace;
use kernel::{Architecture, Kernel, SERIES, Version};
use problem::Problem;
use serde::{Deserialize, Serialize};

use crate::apt::{Package, Suite};
use crate::kernels_lock::{KernelLock, LockedKernel};
use crate::record::{self, State};
use crate::reporter::Reporter;
use crate::requirement::{Need, Requirement};
use crate::site::{self, SetupSite};
use crate::step::{SetupStep, format_megabytes};
use crate::{apt, fault, kernels_lock, vmlinux};

/// Raised when more of a kernel's package is kept, so that those that are installed are fetched
/// again. 2: the configuration, of split packages too.
const KEPT_PARTS: u32 = 2;

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
/// Below `drivers/net/` stand the virtual devices; its directories are for hardware.
const SHALLOW: &str = "drivers/net/";

/// The newest kernel of a series on an architecture, as Debian builds it.
pub struct DebianKernel {
    pub name: &'static str,
    pub architecture: Architecture,
}

/// All of an architecture before the next one's.
pub static KERNELS: LazyLock<Vec<DebianKernel>> = LazyLock::new(|| {
    let of_architecture = |architecture| SERIES.map(|name| DebianKernel { name, architecture });
    Architecture::ALL
        .into_iter()
        .flat_map(of_architecture)
        .collect()
});

/// What a command needs that boots the kernel of this series.
pub fn require_kernel(name: &str, architecture: Architecture) -> Result<Need> {
    let found = KERNELS
        .iter()
        .find(|kernel| kernel.name == name && kernel.architecture == architecture);
    Ok(found.ok_or_else(|| kernels_lock::unknown_kernel(name))?)
}

impl Requirement for DebianKernel {
    fn name(&self) -> String {
        format!("kernel {}", self.architecture.label(self.name))
    }

    fn is_met(&self) -> bool {
        is_there(self.name, self.architecture)
    }

    fn is_whole(&self) -> bool {
        self.is_met() && is_whole(self.name, self.architecture)
    }

    fn bytes(&self) -> u64 {
        ROOM
    }

    fn plan(&self) -> Option<String> {
        let source = kernel_source(self.name, self.architecture);
        Some(format!("{source}: {}", describe_sizes(self.architecture)))
    }

    fn meet(&self, site: &SetupSite) -> Result<()> {
        fetch_kernel(site, self)
    }
}

fn describe_sizes(architecture: Architecture) -> &'static str {
    match architecture {
        Architecture::Amd64 => "fetch 20 to 50 MB, keep 65 to 90 MB",
        Architecture::Arm64 => "fetch 10 to 31 MB, keep 35 to 51 MB",
    }
}

/// What to type when a kernel of this architecture cannot be used.
fn setup_command(architecture: Architecture) -> String {
    if architecture == Architecture::HOST {
        "cargo xtask setup".to_owned()
    } else {
        format!("cargo xtask setup --arch {architecture}")
    }
}

/// What is installed. Reports say it, and the next start compares it with the lock.
#[derive(Clone, Debug, Deserialize, Serialize)]
struct InstalledKernel {
    suite: String,
    package: String,
    version: String,
    release: String,
    image: String,
    config: Option<String>,
    /// [`KEPT_PARTS`] of the set-up that installed it.
    #[serde(default)]
    kept_parts: u32,
    /// The locked version that the archive had no more, so that this one was taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    instead_of: Option<String>,
}

impl InstalledKernel {
    fn read(directory: &Path) -> Result<Self> {
        let path = directory.join("kernel.json");
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot parse {}", path.display()))
    }

    /// With the record of the whole directory, which this file is a part of.
    fn write(&self, directory: &Path) -> Result<()> {
        let text = serde_json::to_string_pretty(self)
            .context("cannot write the kernel's version as JSON")?;
        site::replace_file(&directory.join("kernel.json"), text.as_bytes())?;
        record::write_record(directory)
    }

    fn is(&self, locked: &LockedKernel) -> bool {
        (&self.package, &self.version) == (&locked.package, &locked.version)
    }

    /// Whether it is what set-up would install: the lock may have moved since, or be another
    /// checkout's that shares the cache.
    fn fits(&self, locked: &LockedKernel) -> bool {
        self.is(locked) || self.instead_of.as_ref() == Some(&locked.version)
    }

    /// Whether it may be booted. What cannot be replaced is used as it is, and reports say so.
    fn is_usable(&self, locked: &LockedKernel, can_replace: fn() -> bool) -> bool {
        self.is_up_to_date(locked) || !can_replace()
    }

    fn is_up_to_date(&self, locked: &LockedKernel) -> bool {
        self.fits(locked) && self.kept_parts == KEPT_PARTS
    }

    /// In a few words, that it is not the locked one.
    fn deviation(&self, locked: &LockedKernel) -> Option<String> {
        let version = &locked.version;
        if self.is(locked) {
            None
        } else if self.fits(locked) {
            Some(format!(
                "not the locked {version}, which the archive no longer has"
            ))
        } else {
            Some(format!(
                "not the locked {version}: kernels.lock wants {version}, and the cache cannot be \
                 written"
            ))
        }
    }
}

/// The kernel of that name from the cache; nothing is fetched.
pub fn find_kernel(name: &str, architecture: Architecture) -> Result<Kernel> {
    let directory = kernel_directory(name, architecture);
    let lock = KernelLock::read_lock()?;
    let locked = lock.find_series(name, architecture)?;
    read_kernel(&directory, locked, site::is_cache_writable)
}

/// The kernel in that directory.
fn read_kernel(
    directory: &Path,
    locked: &LockedKernel,
    can_replace: fn() -> bool,
) -> Result<Kernel> {
    let installed = match record::compare_sizes(directory) {
        State::Whole => InstalledKernel::read(directory)
            .map_err(|_| unusable(locked, "was set up by another version of this tool"))?,
        State::Absent => return Err(unusable(locked, "is not here yet").into()),
        State::Changed => {
            return Err(unusable(locked, "was changed or damaged after set-up").into());
        }
    };
    if !installed.is_usable(locked, can_replace) {
        let (here, wanted) = (&installed.version, &locked.version);
        let why = format!("is {here} here, and kernels.lock wants {wanted}");
        return Err(unusable(locked, &why).into());
    }
    let mut origin = format!(
        "Debian {}, {} {}",
        installed.suite, installed.package, installed.version
    );
    if let Some(deviation) = installed.deviation(locked) {
        origin += &format!(", {deviation}");
    }
    let modules = directory.join("lib/modules").join(&installed.release);
    Ok(Kernel {
        name: locked.series.clone(),
        architecture: locked.architecture,
        origin,
        image: directory.join(&installed.image),
        modules: modules.is_dir().then_some(modules),
        config: installed.config.map(|config| directory.join(config)),
        release: installed.release,
    })
}

/// A sentence for every report about this kernel, if the one that is installed and may be booted is
/// not the locked one.
pub fn deviation_from_lock(name: &str, architecture: Architecture) -> Option<String> {
    let (installed, locked) = read_usable(name, architecture)?;
    let deviation = installed.deviation(&locked)?;
    let (label, version) = (locked.label(), installed.version);
    Some(format!("kernel {label} is Debian's {version}, {deviation}"))
}

fn unusable(locked: &LockedKernel, why: &str) -> Problem {
    Problem::machine(format!("kernel {} {why}", locked.label()))
        .help(setup_command(locked.architecture))
}

/// The version of Debian's package that `kernels.lock` names for a series.
pub fn locked_version(name: &str, architecture: Architecture) -> Result<String> {
    let lock = KernelLock::read_lock()?;
    Ok(lock.find_series(name, architecture)?.version.clone())
}

pub fn kernel_directory(name: &str, architecture: Architecture) -> PathBuf {
    workspace::cache_directory()
        .join("kernels")
        .join(format!("{name}{}", architecture.cache_suffix()))
}

pub fn is_there(name: &str, architecture: Architecture) -> bool {
    record::compare_sizes(&kernel_directory(name, architecture)) == State::Whole
        && read_usable(name, architecture).is_some()
}

pub fn is_whole(name: &str, architecture: Architecture) -> bool {
    record::compare_checksums(&kernel_directory(name, architecture)) == State::Whole
        && read_usable(name, architecture).is_some()
}

/// What is installed, if it may be booted, and what the lock wants.
fn read_usable(name: &str, architecture: Architecture) -> Option<(InstalledKernel, LockedKernel)> {
    let installed = InstalledKernel::read(&kernel_directory(name, architecture)).ok()?;
    let lock = KernelLock::read_lock().ok()?;
    let locked = lock.find_series(name, architecture).ok()?;
    let is_usable = installed.is_usable(locked, site::is_cache_writable);
    is_usable.then(|| (installed, locked.clone()))
}

/// Where it comes from, for a plan.
pub fn kernel_source(name: &str, architecture: Architecture) -> String {
    let lock = KernelLock::read_lock();
    match lock
        .as_ref()
        .map(|lock| lock.find_series(name, architecture))
    {
        Ok(Ok(locked)) => format!("{} from Debian {}", locked.version, locked.suite),
        _ => "from Debian".to_owned(),
    }
}

/// Fetches the locked version; if the archive has it no more, the newest of the series.
fn fetch_kernel(site: &SetupSite, kernel: &DebianKernel) -> Result<()> {
    site::may_fill_cache(site)?;
    let lock = KernelLock::read_lock()?;
    let locked = lock.find_series(kernel.name, kernel.architecture)?;
    let directory = kernel_directory(kernel.name, kernel.architecture);
    let suite = Suite::open(site, &locked.suite, kernel.architecture)?;
    let package = choose_version(suite.search_packages(&pattern(locked))?, locked)
        .ok_or_else(|| no_version(locked))?;
    let parts = parts(&suite, &package)?;
    let mut instead_of = None;
    if locked.is_package(&package) {
        locked.check_sums(&parts)?;
    } else {
        instead_of = Some(locked.version.clone());
    }
    if keep_installed(&directory, &package, &instead_of)? {
        return Ok(());
    }
    let step = site.start_step(
        &kernel.name(),
        &format!("{} {}", package.name, package.version),
    );
    let unpacked = site.create_stage("unpacked")?;
    suite.unpack_packages(site, &parts, &unpacked, &step)?;
    let staged = site.create_stage("kernel")?;
    step.show_progress("unpacking the image");
    let (release, image) = arrange(&unpacked, &staged, kernel.architecture, &step)?;
    let config = keep_config(&unpacked, &release, &staged)?;
    let installed = InstalledKernel {
        suite: suite.name.clone(),
        package: package.name,
        version: package.version,
        release,
        image,
        config,
        kept_parts: KEPT_PARTS,
        instead_of,
    };
    installed.write(&staged)?;
    site.move_into_place(&staged, &directory)?;
    let size = format_megabytes(record::count_bytes(&directory));
    step.report_done(&format!("Linux {} in place, {size}", installed.release));
    Ok(())
}

/// Whether this very package is installed already, and only the lock has moved.
fn keep_installed(
    directory: &Path,
    package: &Package,
    instead_of: &Option<String>,
) -> Result<bool> {
    if record::compare_checksums(directory) != State::Whole {
        return Ok(false);
    }
    // Another version of the tool may have described it in another way.
    let Ok(mut installed) = InstalledKernel::read(directory) else {
        return Ok(false);
    };
    if (&installed.package, &installed.version) != (&package.name, &package.version) {
        return Ok(false);
    }
    if installed.kept_parts != KEPT_PARTS {
        return Ok(false);
    }
    installed.instead_of.clone_from(instead_of);
    installed.write(directory)?;
    Ok(true)
}

/// Moves `kernels.lock` to the newest version of each kernel, and installs nothing: what moved, a
/// line each.
pub fn update_lock(reporter: &'static dyn Reporter) -> Result<Vec<String>> {
    let mut lock = KernelLock::read_lock()?;
    KernelLock::check_writable()?;
    let site = SetupSite::open_work_area(reporter)?;
    site::may_fill_cache(&site)?;
    apt::forget_lists(site.work_directory())?;
    let mut moved = Vec::new();
    for locked in lock.kernels_mut() {
        let suite = Suite::open(&site, &locked.suite, locked.architecture)?;
        let candidates = suite.search_packages(&pattern(locked))?;
        let newest = newest_version(candidates).ok_or_else(|| no_version(locked))?;
        if Version::parse(&newest.version) < Version::parse(&locked.version) {
            continue;
        }
        let parts = parts(&suite, &newest)?;
        let new = locked.moved_to(&newest, &parts);
        // Refuses an image whose packages the archive does not have.
        new.check_sums(&parts)?;
        if new != *locked {
            moved.push(locked.describe_change(&new));
            *locked = new;
        }
    }
    if !moved.is_empty() {
        lock.write_lock()?;
    }
    site.remove_leftovers()?;
    Ok(moved)
}

fn no_version(locked: &LockedKernel) -> Problem {
    Problem::machine(format!(
        "Debian {} no longer has a kernel {}",
        locked.suite,
        locked.label()
    ))
    .help("name a mirror that has it: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup")
}

fn pattern(locked: &LockedKernel) -> String {
    let series = locked.series.replace('.', r"\.");
    let architecture = locked.architecture;
    format!(r"^linux-image-{series}\.[^-]*(-[0-9]+)?-cloud-{architecture}$")
}

fn choose_version(candidates: Vec<Package>, locked: &LockedKernel) -> Option<Package> {
    match candidates.iter().find(|package| locked.is_package(package)) {
        Some(found) => Some(found.clone()),
        None => newest_version(candidates),
    }
}

fn newest_version(candidates: Vec<Package>) -> Option<Package> {
    candidates
        .into_iter()
        .max_by_key(|package| Version::parse(&package.version))
}

/// Since 6.19 the image package is empty and depends on one with the image, one with the modules
/// and one with the configuration. The last two leave the archive with the next version of the
/// source: older series have none.
fn parts(suite: &Suite, image: &Package) -> Result<Vec<Package>> {
    const PARTS: [&str; 3] = ["linux-binary-", "linux-modules-", "linux-base-"];
    let split = |dependency: &str| PARTS.iter().any(|part| dependency.starts_with(part));
    let names: Vec<&str> = image
        .depends
        .split([',', '|'])
        .filter_map(|part| part.split_whitespace().next())
        .filter(|name| split(name))
        .collect();
    // Before that, the package of this name was for all kernels, and had nothing of one in it.
    if !names.iter().any(|name| name.starts_with(PARTS[0])) {
        return Ok(vec![image.clone()]);
    }
    let parts = suite
        .show_packages(&names)?
        .into_iter()
        .filter(|part| part.version == image.version)
        .collect();
    Ok(parts)
}

/// From the layout of the packages to the cache's: the image beside `lib/modules/RELEASE`. Returns
/// the release and the name of the image file.
fn arrange(
    unpacked: &Path,
    staged: &Path,
    architecture: Architecture,
    step: &SetupStep,
) -> Result<(String, String)> {
    let (release, image) = find_image(unpacked)?;
    let vmlinuz = fs::read(&image).with_context(|| format!("cannot read {}", image.display()))?;
    let (name, bytes) = match vmlinux::unpack_image(&vmlinuz, architecture) {
        Ok(unpacked) => unpacked,
        Err(error) => {
            step.show_line(&format!(
                "keeping the compressed image, which boots about a second later: {error:#}"
            ));
            (vmlinux::compressed_name(architecture), vmlinuz)
        }
    };
    put(&staged.join(name), &bytes)?;
    let places = ["usr/lib/modules", "lib/modules"];
    let modules = places.map(|path| unpacked.join(path).join(&release));
    match modules.iter().find(|path| path.join("kernel").is_dir()) {
        Some(modules) => keep_modules(modules, &staged.join("lib/modules").join(&release))?,
        None => step.show_line("the archive has no modules for it: what needs one is not there"),
    }
    Ok((release, name.to_owned()))
}

/// The release and the path of the image: `boot/vmlinuz-RELEASE`, or beside its modules.
fn find_image(unpacked: &Path) -> Result<(String, PathBuf)> {
    const PREFIX: &str = "vmlinuz-";
    for name in entries(&unpacked.join("boot")) {
        if let Some(release) = name.strip_prefix(PREFIX) {
            return Ok((release.to_owned(), unpacked.join("boot").join(&name)));
        }
    }
    for modules in ["usr/lib/modules", "lib/modules"].map(|path| unpacked.join(path)) {
        for release in entries(&modules) {
            let image = modules.join(&release).join("vmlinuz");
            if image.is_file() {
                return Ok((release, image));
            }
        }
    }
    bail!("the kernel's package has no image")
}

/// In which package it is, and where, has changed over the years.
fn keep_config(unpacked: &Path, release: &str, staged: &Path) -> Result<Option<String>> {
    let places = [
        format!("boot/config-{release}"),
        format!("usr/lib/modules/{release}/config"),
        format!("lib/modules/{release}/config"),
    ];
    for place in places.map(|place| unpacked.join(place)) {
        if place.is_file() {
            let name = "config".to_owned();
            move_file(&place, &staged.join(&name))?;
            return Ok(Some(name));
        }
    }
    Ok(None)
}

/// The names of what is in a directory; none if there is no such directory.
fn entries(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let names = entries.map(|entry| entry.file_name());
    names
        .map(|name| name.to_string_lossy().into_owned())
        .collect()
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
    let directory = root.join(below);
    for entry in fs::read_dir(&directory)
        .with_context(|| format!("cannot list {}", directory.display()))?
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
    if let Some(directory) = to.parent() {
        site::create_directory(directory)?;
    }
    fs::rename(from, to)
        .map_err(|error| fault::io_problem(format!("move {}", from.display()), &error).into())
}

fn put(path: &Path, bytes: &[u8]) -> Result<()> {
    fs::write(path, bytes)
        .map_err(|error| fault::io_problem(format!("write {}", path.display()), &error).into())
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

    fn locked(package_name: &str, version: &str) -> LockedKernel {
        let lock = KernelLock::read_lock().unwrap();
        let image = package(package_name, version);
        lock.find_series("6.18", Architecture::HOST)
            .unwrap()
            .moved_to(&image, &[])
    }

    fn installed(version: &str, instead_of: Option<&str>) -> InstalledKernel {
        InstalledKernel {
            suite: String::new(),
            package: "a-12".to_owned(),
            version: version.to_owned(),
            release: String::new(),
            image: String::new(),
            config: None,
            kept_parts: KEPT_PARTS,
            instead_of: instead_of.map(str::to_owned),
        }
    }

    #[test]
    fn newest_is_taken_only_when_the_locked_one_is_gone() {
        let offered = || {
            vec![
                package("a-9", "6.18.9-1"),
                package("a-15", "6.18.15-1"),
                package("a-12", "6.18.12-1"),
            ]
        };
        let choose = |name, version| choose_version(offered(), &locked(name, version)).unwrap();
        assert_eq!(choose("a-12", "6.18.12-1").name, "a-12");
        assert_eq!(choose("a-12", "6.18.2-1").name, "a-15");
        assert!(choose_version(Vec::new(), &locked("a-12", "6.18.12-1")).is_none());
    }

    #[test]
    fn an_installed_kernel_fits_until_the_lock_moves() {
        let lock = locked("a-12", "6.18.12-1");
        let same = installed("6.18.12-1", None);
        assert!(same.fits(&lock) && same.deviation(&lock).is_none());
        assert!(!same.fits(&locked("a-15", "6.18.15-1")));
        assert!(!installed("6.18.15-1", None).fits(&lock));

        let replacement = installed("6.18.15-1", Some("6.18.12-1"));
        assert!(replacement.fits(&lock));
        let deviation = replacement.deviation(&lock).unwrap();
        assert!(
            deviation.contains("not the locked 6.18.12-1"),
            "{deviation}"
        );
        assert!(!replacement.fits(&locked("a-13", "6.18.13-1")));
    }

    /// As in a cache that two checkouts share.
    #[test]
    fn another_version_is_used_only_where_it_cannot_be_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        installed("6.18.12-1", None).write(directory).unwrap();
        let other = locked("a-15", "6.18.15-1");
        let error = read_kernel(directory, &other, || true)
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "kernel 6.18 is 6.18.12-1 here, and kernels.lock wants 6.18.15-1"
        );
        let kernel = read_kernel(directory, &other, || false).unwrap();
        let origin = &kernel.origin;
        assert!(origin.contains("kernels.lock wants 6.18.15-1"), "{origin}");
        let same = read_kernel(directory, &locked("a-12", "6.18.12-1"), || false).unwrap();
        assert!(!same.origin.contains("locked"), "{}", same.origin);

        // What is damaged is refused all the same.
        fs::write(directory.join("kernel.json"), "").unwrap();
        let error = read_kernel(directory, &other, || false).unwrap_err();
        assert!(error.to_string().contains("changed or damaged"), "{error}");
    }

    /// Both newer and older ones may share a cache with this one.
    #[test]
    fn a_description_of_another_version_is_no_obstacle() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        fs::write(directory.join("kernel.json"), r#"{"format": 9}"#).unwrap();
        record::write_record(directory).unwrap();
        let wanted = locked("a-12", "6.18.12-1");
        let error = read_kernel(directory, &wanted, || true).unwrap_err();
        let problem = error.downcast_ref::<Problem>().unwrap();
        assert!(problem.to_string().contains("another version of this tool"));
        assert_eq!(problem.help_lines(), ["cargo xtask setup"]);
        assert!(!keep_installed(directory, &package("a-12", "6.18.12-1"), &None).unwrap());
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
