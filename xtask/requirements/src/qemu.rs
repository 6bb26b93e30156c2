//! The QEMU on this machine.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use anyhow::Result;
use kernel::Architecture;
use problem::Problem;
use processes::child;

use crate::links;
use crate::part::Part;
use crate::requirement::Requirement;
use crate::site::SetupSite;

/// The first with the machine option `i8042=off`; it came in March 2022.
const OLDEST: u32 = 7;

/// Where Red Hat's distributions keep theirs.
const ELSEWHERE: &str = "/usr/libexec/qemu-kvm";

/// A QEMU for guests of this architecture that is new enough, and what their init is linked with.
pub struct Qemu {
    pub architecture: Architecture,
}

impl Qemu {
    /// For guests of this machine's architecture.
    pub const HOST: Self = Self {
        architecture: Architecture::HOST,
    };
}

impl Requirement for Qemu {
    fn name(&self) -> String {
        Part::Qemu(self.architecture).name()
    }

    fn is_met(&self) -> bool {
        Part::StaticLibc(self.architecture).is_there() && was_checked(self.architecture)
    }

    fn parts(&self) -> &'static [Part] {
        match self.architecture {
            Architecture::Amd64 => &[
                Part::Qemu(Architecture::Amd64),
                Part::StaticLibc(Architecture::Amd64),
            ],
            Architecture::Arm64 => &[
                Part::Qemu(Architecture::Arm64),
                Part::StaticLibc(Architecture::Arm64),
            ],
        }
    }

    fn meet(&self, _site: &SetupSite) -> Result<()> {
        check_version(self.architecture)
    }
}

/// Whether the guest's init can be linked: the guest has no libraries.
pub fn has_static_libc() -> bool {
    let of_debian = format!("/usr/lib/{}", Architecture::HOST.gnu_triplet());
    // Debian's place, Fedora's, and Arch's.
    [of_debian.as_str(), "/usr/lib64", "/usr/lib"]
        .iter()
        .any(|directory| Path::new(directory).join("libc.a").is_file())
}

/// What the user wants to be taken for this machine's architecture, there or not.
pub(crate) fn find_named_qemu() -> Option<PathBuf> {
    std::env::var_os("XTASK_QEMU")
        .filter(|path| !path.is_empty())
        .map(PathBuf::from)
}

/// The QEMU for guests of this architecture.
pub fn find_qemu(architecture: Architecture) -> Option<PathBuf> {
    if architecture == Architecture::HOST {
        find_own_qemu()
    } else {
        child::find_program(&program_name(architecture))
    }
}

pub fn program_name(architecture: Architecture) -> String {
    format!("qemu-system-{}", architecture.machine())
}

/// `XTASK_QEMU` if it is set, else the first one that is found.
fn find_own_qemu() -> Option<PathBuf> {
    match find_named_qemu() {
        Some(path) if path.components().count() > 1 => {
            Some(path).filter(|path| child::is_executable(path))
        }
        Some(name) => child::find_program(&name.to_string_lossy()),
        None => child::find_program(&program_name(Architecture::HOST))
            .or_else(|| Some(PathBuf::from(ELSEWHERE)).filter(|path| child::is_executable(path))),
    }
}

/// "7.2.22", asked of QEMU itself.
pub fn read_qemu_version(qemu: &Path) -> Option<String> {
    let text = child::ask_program(qemu, &["--version"])?;
    let rest = text.lines().next()?.split_once("version ")?.1;
    Some(rest.split([' ', '(']).next()?.to_owned())
}

/// What was found out about a QEMU.
#[derive(Clone, Debug, Eq, PartialEq)]
struct QemuFacts {
    /// Empty when it could not be read.
    version: String,
    /// Whether it can forbid itself system calls here.
    sandbox: bool,
}

/// Whether this QEMU was seen to be new enough. No program is started.
fn was_checked(architecture: Architecture) -> bool {
    checked(architecture).is_some()
}

/// What the QEMU that was checked said its version is.
pub fn checked_version(architecture: Architecture) -> Option<String> {
    Some(checked(architecture)?.version).filter(|version| !version.is_empty())
}

/// `off`: QEMU runs without its sandbox.
const SANDBOX_VARIABLE: &str = "XTASK_SANDBOX";

/// Whether VMs of this architecture run in QEMU's seccomp sandbox.
pub fn uses_sandbox(architecture: Architecture) -> bool {
    if std::env::var_os(SANDBOX_VARIABLE).is_some_and(|value| value == "off") {
        return false;
    }
    // The note may be of another QEMU by now, which another run uses.
    checked(architecture).map_or_else(
        || find_qemu(architecture).is_some_and(|qemu| has_sandbox(&qemu)),
        |facts| facts.sandbox,
    )
}

/// Asks QEMU itself: it may be built without, and a container may forbid such filters. It sets the
/// filter up before it lists its machines and ends.
pub fn has_sandbox(qemu: &Path) -> bool {
    child::ask_program(qemu, &["-sandbox", "on,spawn=deny", "-machine", "help"]).is_some()
}

/// What was noted for the QEMU that is found now.
fn checked(architecture: Architecture) -> Option<QemuFacts> {
    facts_in(
        &links::read_circumstances(&note_name(architecture))?,
        &circumstances(&find_qemu(architecture)?)?,
    )
}

fn note_name(architecture: Architecture) -> String {
    format!("qemu{}", architecture.cache_suffix())
}

fn note(circumstances: &str, facts: &QemuFacts) -> String {
    let QemuFacts { version, sandbox } = facts;
    format!("{circumstances}version {version}\nsandbox {sandbox}\n")
}

/// `None` when the note is about another QEMU.
fn facts_in(note: &str, circumstances: &str) -> Option<QemuFacts> {
    let facts = note.strip_prefix(circumstances)?.strip_prefix("version ")?;
    let (version, sandbox) = facts.split_once("\nsandbox ")?;
    Some(QemuFacts {
        version: version.to_owned(),
        sandbox: sandbox.trim().parse().ok()?,
    })
}

/// Refuses a QEMU that is too old for the course's VMs, and remembers one that is not.
fn check_version(architecture: Architecture) -> Result<()> {
    let Some(qemu) = find_qemu(architecture) else {
        return Ok(());
    };
    let version = read_qemu_version(&qemu);
    if let Some(version) = version.as_ref().filter(|version| is_too_old(version)) {
        return Err(refuse_version(architecture, &qemu, version).into());
    }
    // A version that cannot be read is no proof; the first VM will tell.
    let facts = QemuFacts {
        version: version.unwrap_or_default(),
        sandbox: has_sandbox(&qemu),
    };
    circumstances(&qemu).map_or(Ok(()), |found| {
        links::note_circumstances(&note_name(architecture), &note(&found, &facts))
    })
}

fn refuse_version(architecture: Architecture, qemu: &Path, version: &str) -> Problem {
    let what = format!("{} is QEMU {version}, {TOO_OLD}", qemu.display());
    let problem = Problem::machine(what).help(NEWER);
    if architecture == Architecture::HOST {
        return problem.help("or name another QEMU: XTASK_QEMU=FILE cargo xtask setup");
    }
    problem
}

pub const TOO_OLD: &str = "and the course needs version 7.0 or later";
pub const NEWER: &str =
    "update this system: Debian has it from 12 on, Ubuntu from 22.10, Fedora from 37";

pub fn is_too_old(version: &str) -> bool {
    version
        .split('.')
        .next()
        .and_then(|major| major.parse::<u32>().ok())
        .is_some_and(|major| major < OLDEST)
}

/// An update of QEMU changes these.
fn circumstances(qemu: &Path) -> Option<String> {
    let data = qemu.metadata().ok()?;
    Some(format!(
        "{}\n{} bytes\n{}.{}\n",
        qemu.display(),
        data.len(),
        data.mtime(),
        data.mtime_nsec()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_7_are_too_old() {
        for (version, verdict) in [
            ("6.2.0", true),
            ("5.2.0", true),
            ("7.0.0", false),
            ("7.2.22", false),
            ("10.1.0", false),
            ("?", false),
        ] {
            assert_eq!(is_too_old(version), verdict, "{version}");
        }
    }

    #[test]
    fn a_note_tells_about_the_same_qemu_only() {
        let facts = QemuFacts {
            version: "7.2.22".to_owned(),
            sandbox: true,
        };
        let noted = note("/usr/bin/qemu\n5 bytes\n", &facts);
        assert_eq!(facts_in(&noted, "/usr/bin/qemu\n5 bytes\n"), Some(facts));
        assert_eq!(facts_in(&noted, "/usr/bin/qemu\n6 bytes\n"), None);
        for unfinished in ["", "version 7.2.22\n"] {
            let noted = format!("/usr/bin/qemu\n5 bytes\n{unfinished}");
            assert_eq!(facts_in(&noted, "/usr/bin/qemu\n5 bytes\n"), None);
        }
    }

    #[test]
    fn another_file_under_the_same_name_is_checked_again() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("qemu");
        std::fs::write(&file, "one").unwrap();
        let before = circumstances(&file).unwrap();
        assert_eq!(circumstances(&file).unwrap(), before);
        std::fs::write(&file, "another").unwrap();
        assert_ne!(circumstances(&file).unwrap(), before);
        std::fs::remove_file(&file).unwrap();
        assert_eq!(circumstances(&file), None);
    }
}
