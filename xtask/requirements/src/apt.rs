//! Debian packages fetched by apt in a private root: lists, cache and state of its own, so that no
//! right is needed and the machine's packages stay as they are. apt checks the signatures of what
//! it fetches.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use kernel::Architecture;
use problem::Problem;
use processes::child;

use crate::command;
use crate::fault;
use crate::site::{self, SetupSite};
use crate::step::{SetupStep, format_megabytes};

const KEYRINGS: [&str; 2] = [
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];
const MIRROR: &str = "XTASK_MIRROR";
const SECURITY_MIRROR: &str = "XTASK_SECURITY_MIRROR";

/// In a suite's directory: its list was read in this set-up.
const FETCHED: &str = "fetched";

/// Lists from before this set-up are read again; only what changed is fetched.
pub fn forget_lists(site: &Path) -> Result<()> {
    let suites = fs::read_dir(site.join("apt"))
        .into_iter()
        .flatten()
        .flatten();
    suites
        .map(|suite| suite.path().join(FETCHED))
        .try_for_each(|marker| site::remove_path(&marker))
}

/// One Debian suite on one architecture, as a private apt root sees it.
pub struct Suite {
    pub name: String,
    config: PathBuf,
    /// On the disk whose room was looked at. With a full `/tmp`, apt says that signatures are not
    /// valid.
    temporary: PathBuf,
}

/// What the suite's signed list says about a package.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Package {
    pub name: String,
    pub version: String,
    pub size: u64,
    pub depends: String,
    pub sha256: String,
}

impl Suite {
    /// Fetches the suite's package list; the next call in the same set-up finds it there (see
    /// `forget_lists`).
    pub fn open(site: &SetupSite, name: &str, architecture: Architecture) -> Result<Self> {
        let directory = format!("{name}{}", architecture.cache_suffix());
        let root = site.work_directory().join("apt").join(&directory);
        let suite = Self {
            name: name.to_owned(),
            config: root.join("apt.conf"),
            temporary: root.join("tmp"),
        };
        let fetched = root.join(FETCHED);
        if fetched.exists() {
            return Ok(suite);
        }
        let mirrors = Mirrors::find_mirrors()?;
        let keyring = keyring(site)?;
        for directory in ["lists/partial", "cache/archives/partial", "state", "tmp"] {
            site::create_directory(&root.join(directory))?;
        }
        let source = source_line(name, architecture, mirrors.of(name), &keyring);
        write(&root.join("sources.list"), &source)?;
        write(&suite.config, &configuration(&root, architecture))?;
        let step = site.start_step(
            "packages",
            &format!(
                "reading the package list of {}",
                describe_suite(name, architecture)
            ),
        );
        let mut update = suite.command("apt-get");
        // Without the error mode apt calls an unreachable mirror a success with warnings.
        update.args(["-q", "-o", "APT::Update::Error-Mode=any", "update"]);
        let what = format!(
            "read the package list of {}",
            describe_suite(name, architecture)
        );
        command::run_to_success(
            &mut update,
            &what,
            &site.log_path(&format!("apt-update-{directory}")),
            || {},
        )?;
        write(&fetched, "")?;
        step.report_done("read");
        Ok(suite)
    }

    /// The packages whose names match the regular expression.
    pub fn search_packages(&self, pattern: &str) -> Result<Vec<Package>> {
        let found = self.ask(&["search", "--names-only", pattern])?;
        let names: Vec<&str> = found
            .lines()
            .filter_map(|line| line.split(" - ").next())
            .collect();
        if names.is_empty() {
            return Ok(Vec::new());
        }
        self.show_packages(&names)
    }

    /// Every version the suite has of the named packages.
    pub fn show_packages(&self, names: &[&str]) -> Result<Vec<Package>> {
        Ok(stanzas(&self.ask(&[&["show"], names].concat())?))
    }

    fn ask(&self, arguments: &[&str]) -> Result<String> {
        let output = self
            .command("apt-cache")
            .args(arguments)
            .output()
            .map_err(|error| fault::not_started("apt-cache", &error))?;
        // A package that does not exist makes apt-cache fail after it printed the others.
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// Downloads the packages and unpacks them over each other into `directory`.
    pub fn unpack_packages(
        &self,
        site: &SetupSite,
        packages: &[Package],
        directory: &Path,
        step: &SetupStep,
    ) -> Result<()> {
        let downloads = site.downloads_directory();
        let total: u64 = packages.iter().map(|package| package.size).sum();
        let names: Vec<String> = packages
            .iter()
            .map(|package| format!("{}={}", package.name, package.version))
            .collect();
        step.show_line(&format!(
            "fetching {} ({}) from Debian {}",
            summary(packages),
            format_megabytes(total),
            self.name
        ));
        for package in packages {
            drop_other_versions(&downloads, package)?;
        }
        let before = command::count_bytes(&downloads);
        let mut download = self.command("apt-get");
        download
            .args(["-q", "download"])
            .args(&names)
            .current_dir(&downloads);
        let what = format!("fetch {} from Debian {}", summary(packages), self.name);
        command::run_to_success(&mut download, &what, &site.log_path("apt-download"), || {
            let have = command::count_bytes(&downloads).saturating_sub(before);
            step.show_progress(&format!(
                "{} of {}",
                format_megabytes(have.min(total)),
                format_megabytes(total)
            ));
        })?;
        for package in packages {
            let file = downloaded(&downloads, &file_start(package))?;
            let mut extract = Command::new("dpkg-deb");
            extract.arg("-x").arg(&file).arg(directory);
            step.show_progress(&format!("unpacking {}", package.name));
            command::run_to_success(
                &mut extract,
                &format!("unpack {}", package.name),
                &site.log_path("dpkg-deb"),
                || {},
            )?;
            site::remove_path(&file)?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        // Named here it is read last. With APT_CONFIG the machine's own files would win, and some
        // of them allow lists without a signature.
        command.arg("--config-file").arg(&self.config);
        command.env("TMPDIR", &self.temporary).env("LC_ALL", "C");
        child::end_with_us(&mut command);
        command
    }
}

/// Where the packages come from: the machine's own mirror, unless the environment names another.
pub struct Mirrors {
    main: String,
    security: String,
}

impl Mirrors {
    pub fn find_mirrors() -> Result<Self> {
        let named = |variable| {
            std::env::var(variable)
                .ok()
                .filter(|value| !value.is_empty())
        };
        let targets = match named(MIRROR) {
            Some(_) => String::new(),
            None => child::ask_program(
                "apt-get",
                &[
                    "indextargets",
                    "--no-release-info",
                    "--format",
                    "$(COMPONENT) $(RELEASE) $(REPO_URI)",
                ],
            )
            .unwrap_or_default(),
        };
        Self::choose(named(MIRROR), named(SECURITY_MIRROR), &targets).ok_or_else(|| {
            Problem::machine(
                "this machine's apt knows no Debian mirror, and the course's kernels come from \
                 Debian",
            )
            .help("name a mirror: XTASK_MIRROR=http://MIRROR/debian cargo xtask setup")
            .help("or boot a kernel that you have: cargo xtask run LESSON --kernel FILE")
            .into()
        })
    }

    fn choose(main: Option<String>, security: Option<String>, targets: &str) -> Option<Self> {
        let targets: Vec<(&str, &str)> = targets.lines().filter_map(main_target).collect();
        // Others' archives end like Debian's too, but are deeper: /PRODUCT/debian.
        let address = |wanted: fn(&str, &str) -> bool| {
            let fitting = targets
                .iter()
                .filter(|(release, address)| wanted(release, address));
            fitting
                .map(|(_, address)| (*address).to_owned())
                .min_by_key(|address| address.matches('/').count())
        };
        let from_machine = main.is_none();
        let main = main.or_else(|| address(is_debian))?;
        let main = main.trim_end_matches('/').to_owned();
        let security = security
            .or_else(|| from_machine.then(|| address(is_debian_security)).flatten())
            .unwrap_or_else(|| format!("{main}-security"));
        Some(Self {
            security: security.trim_end_matches('/').to_owned(),
            main,
        })
    }

    fn of(&self, suite: &str) -> &str {
        if suite.ends_with("-security") {
            &self.security
        } else {
            &self.main
        }
    }
}

/// Without `stable`: every second archive of others has a release of that name.
const RELEASES: [&str; 7] = [
    "bullseye", "bookworm", "trixie", "forky", "sid", "testing", "unstable",
];

/// (release, address of the archive) of a line "main bookworm http://MIRROR/debian/"; others'
/// archives often have components of other names.
fn main_target(line: &str) -> Option<(&str, &str)> {
    let (release, address) = line.strip_prefix("main ")?.split_once(' ')?;
    Some((release, address.trim_end_matches('/')))
}

fn is_debian(release: &str, address: &str) -> bool {
    RELEASES.contains(&release) && address.ends_with("/debian")
}

fn is_debian_security(release: &str, address: &str) -> bool {
    release
        .strip_suffix("-security")
        .is_some_and(|release| RELEASES.contains(&release))
        && address.ends_with("/debian-security")
}

/// For people.
fn describe_suite(name: &str, architecture: Architecture) -> String {
    format!("Debian {}", architecture.label(name))
}

fn source_line(suite: &str, architecture: Architecture, mirror: &str, keyring: &Path) -> String {
    // Updates of the oldest release end one day, and with them the renewal of its list's date; the
    // signature is checked all the same.
    let dated = if suite.starts_with("bullseye") {
        " check-valid-until=no"
    } else {
        ""
    };
    format!(
        "deb [arch={architecture} signed-by={}{dated}] {mirror} {suite} main\n",
        keyring.display()
    )
}

fn configuration(root: &Path, architecture: Architecture) -> String {
    let root = root.display();
    format!(
        r#"Dir::State "{root}/state";
Dir::State::lists "{root}/lists";
Dir::State::status "/dev/null";
Dir::Cache "{root}/cache";
Dir::Cache::pkgcache "pkgcache.bin";
Dir::Cache::srcpkgcache "srcpkgcache.bin";
Dir::Etc::sourcelist "{root}/sources.list";
Dir::Etc::sourceparts "/dev/null";
Dir::Etc::preferences "/dev/null";
Dir::Etc::preferencesparts "/dev/null";
APT::Architecture "{architecture}";
APT::Architectures {{ "{architecture}"; }};
APT::Sandbox::User "root";
Acquire::Languages "none";
Acquire::Retries "2";
Acquire::http::Timeout "20";
Acquire::https::Timeout "20";
Acquire::AllowInsecureRepositories "false";
Acquire::AllowWeakRepositories "false";
Acquire::AllowDowngradeToInsecureRepositories "false";
APT::Get::AllowUnauthenticated "false";
#clear APT::Update::Pre-Invoke;
#clear APT::Update::Post-Invoke;
#clear APT::Update::Post-Invoke-Success;
"#
    )
}

/// The keys of Debian's archive: the machine's, or on a relative of Debian those of its own,
/// signed, package.
fn keyring(site: &SetupSite) -> Result<PathBuf> {
    if let Some(found) = KEYRINGS.iter().map(Path::new).find(|path| path.exists()) {
        return Ok(found.to_owned());
    }
    let directory = site.create_stage("keyring")?;
    let mut download = Command::new("apt-get");
    download
        .args(["-q", "--option", "APT::Get::AllowUnauthenticated=false"])
        .args(["download", "debian-archive-keyring"])
        .current_dir(&directory);
    let what = "fetch the keys of Debian's archive (package debian-archive-keyring)";
    command::run_to_success(&mut download, what, &site.log_path("keyring"), || {})?;
    let mut extract = Command::new("dpkg-deb");
    extract
        .arg("-x")
        .arg(downloaded(&directory, "debian-archive-keyring_")?)
        .arg(&directory);
    command::run_to_success(
        &mut extract,
        "unpack debian-archive-keyring",
        &site.log_path("keyring"),
        || {},
    )?;
    let found = KEYRINGS
        .iter()
        .map(|path| directory.join(path.trim_start_matches('/')))
        .find(|path| path.exists());
    found.context("debian-archive-keyring has no keyring in it")
}

/// What apt calls the package's file, up to the architecture: `busybox-static_1%3a1.37.0-6_`.
fn file_start(package: &Package) -> String {
    format!("{}_{}_", package.name, package.version.replace(':', "%3a"))
}

/// A broken run may have left an older version in the downloads.
fn drop_other_versions(directory: &Path, package: &Package) -> Result<()> {
    let wanted = file_start(package);
    let others = files_with(directory, &format!("{}_", package.name))?;
    others
        .iter()
        .filter(|path| !starts_with(path, &wanted))
        .try_for_each(|path| site::remove_path(path))
}

fn downloaded(directory: &Path, start: &str) -> Result<PathBuf> {
    let found = files_with(directory, start)?
        .into_iter()
        .find(|path| path.extension() == Some("deb".as_ref()));
    found.with_context(|| {
        format!(
            "apt-get did not leave a package {start}*.deb in {}",
            directory.display()
        )
    })
}

fn files_with(directory: &Path, start: &str) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(directory).with_context(|| format!("cannot list {}", directory.display()))?;
    Ok(entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| starts_with(path, start))
        .collect())
}

fn starts_with(path: &Path, start: &str) -> bool {
    path.file_name()
        .and_then(|name| name.to_str())
        .is_some_and(|name| name.starts_with(start))
}

/// "bpftool 7.5.0 and 6 more".
fn summary(packages: &[Package]) -> String {
    let Some(first) = packages.first() else {
        return "nothing".to_owned();
    };
    let more = match packages.len() - 1 {
        0 => String::new(),
        count => format!(" and {count} more"),
    };
    format!("{} {}{more}", first.name, first.version)
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text)
        .map_err(|error| fault::io_problem(format!("write {}", path.display()), &error).into())
}

/// The packages in the output of `apt-cache show`.
fn stanzas(text: &str) -> Vec<Package> {
    let package = |stanza: &str| {
        let field = |name: &str| {
            stanza
                .lines()
                .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
                .unwrap_or_default()
                .to_owned()
        };
        Package {
            name: field("Package"),
            version: field("Version"),
            size: field("Size").parse().unwrap_or(0),
            depends: field("Depends"),
            sha256: field("SHA256"),
        }
    };
    text.split("\n\n")
        .map(package)
        .filter(|package| !package.name.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "main bookworm http://mirror/debian/\n\
        main bookworm-updates http://mirror/debian/\n\
        main bookworm-security http://mirror/debian-security/\n";

    #[test]
    fn the_machines_mirrors_are_taken() {
        let mirrors = Mirrors::choose(
            None,
            None,
            &format!("main nodistro https://other/\n{DEBIAN}"),
        )
        .unwrap();
        assert_eq!(mirrors.of("trixie-backports"), "http://mirror/debian");
        assert_eq!(
            mirrors.of("bullseye-security"),
            "http://mirror/debian-security"
        );
    }

    #[test]
    fn archives_of_others_are_not_taken_for_debians() {
        let others = "main stable https://browser/linux/chrome/deb/\nmain stable https://browser/\n\
            stable bookworm https://containers/linux/debian\n\
            main bookworm https://vpn/product/debian\n";
        let mirrors = Mirrors::choose(None, None, &format!("{others}{DEBIAN}")).unwrap();
        assert_eq!(mirrors.main, "http://mirror/debian");
        let browsers =
            "main stable https://browser/linux/chrome/deb/\nmain stable https://code/repos/code\n";
        assert!(Mirrors::choose(None, None, browsers).is_none());
    }

    #[test]
    fn only_the_wanted_version_of_a_download_is_taken() {
        let directory = tempfile::tempdir().unwrap();
        let directory = directory.path();
        let (old, new) = ("tool_1%3a1.9-1_amd64.deb", "tool_1%3a1.10-1_amd64.deb");
        for name in [old, new, "toolbox_3_amd64.deb"] {
            fs::write(directory.join(name), "").unwrap();
        }
        let package = Package {
            name: "tool".to_owned(),
            version: "1:1.10-1".to_owned(),
            ..Package::default()
        };
        drop_other_versions(directory, &package).unwrap();
        assert!(!directory.join(old).exists() && directory.join("toolbox_3_amd64.deb").exists());
        assert_eq!(
            downloaded(directory, &file_start(&package)).unwrap(),
            directory.join(new)
        );
        fs::remove_file(directory.join(new)).unwrap();
        assert!(downloaded(directory, &file_start(&package)).is_err());
    }

    #[test]
    fn the_environment_names_other_mirrors() {
        let named = |name: &str| Some(name.to_owned());
        let mirrors = Mirrors::choose(named("http://mine/debian/"), None, DEBIAN).unwrap();
        assert_eq!(
            (&*mirrors.main, &*mirrors.security),
            ("http://mine/debian", "http://mine/debian-security")
        );
        let mirrors =
            Mirrors::choose(named("http://mine/debian"), named("http://sec"), "").unwrap();
        assert_eq!(mirrors.security, "http://sec");
    }

    #[test]
    fn a_machine_of_another_distribution_has_no_mirror() {
        assert!(
            Mirrors::choose(
                None,
                None,
                "main noble http://mirror/ubuntu/\nmain noble-security http://mirror/ubuntu/"
            )
            .is_none()
        );
        assert!(Mirrors::choose(None, None, "").is_none());
    }

    #[test]
    fn lists_of_earlier_runs_are_forgotten() {
        let directory = tempfile::tempdir().unwrap();
        let site = directory.path();
        forget_lists(site).unwrap();
        let suite = site.join("apt/trixie");
        fs::create_dir_all(suite.join("lists")).unwrap();
        fs::write(suite.join(FETCHED), "").unwrap();
        forget_lists(site).unwrap();
        assert!(!suite.join(FETCHED).exists() && suite.join("lists").exists());
    }

    #[test]
    fn stanzas_are_read() {
        let text = "Package: a\nVersion: 1\nDepends: b (= 1), c\nSize: 10\nSHA256: 0a\n\
            Description: x\n Size: 11\n\nPackage: a\nVersion: 2\n\n";
        let packages = stanzas(text);
        assert_eq!(packages.len(), 2);
        assert_eq!(
            (packages[0].size, &*packages[0].depends),
            (10, "b (= 1), c")
        );
        assert_eq!((&*packages[0].sha256, &*packages[1].sha256), ("0a", ""));
        assert_eq!(packages[1].version, "2");
    }
}
