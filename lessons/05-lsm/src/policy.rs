//! What the kernel side is told before it starts.

use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use common::NotReady;
use rustix::fs::{major, minor};

pub struct Policy {
    pub directory: Directory,
    pub audit: bool,
    /// Our own process: its children are covered.
    pub pid: u32,
    pub max_tasks: u32,
    pub witness: bool,
    pub command: OsString,
    pub arguments: Vec<OsString>,
}

pub struct Directory {
    /// As the user wrote it.
    pub path: PathBuf,
    pub device: u32,
    pub inode: u64,
}

/// A program of the kernel side, and the LSM hook that it belongs to.
pub struct Program {
    pub name: &'static str,
    pub hook: &'static str,
}

// ANCHOR: programs
/// In the order of attaching. On one hook the kernel asks the program first that was attached last
/// (measured on Linux 5.10 to 7.3), so the witness stands behind the guard.
const WITNESS: Program = Program {
    name: "witness_open",
    hook: "file_open",
};
const PROGRAMS: [Program; 5] = [
    Program {
        name: "guard_open",
        hook: "file_open",
    },
    Program {
        name: "guard_rename",
        hook: "inode_rename",
    },
    Program {
        name: "guard_link",
        hook: "inode_link",
    },
    Program {
        name: "forget",
        hook: "task_free",
    },
    Program {
        name: "cover_child",
        hook: "task_alloc",
    },
];
// ANCHOR_END: programs

impl Policy {
    pub fn programs(&self) -> impl Iterator<Item = Program> {
        self.witness.then_some(WITNESS).into_iter().chain(PROGRAMS)
    }
}

impl Directory {
    pub fn find(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).with_context(|| format!("find {}", path.display()))?;
        if !metadata.is_dir() {
            bail!("deny {}: it is no directory", path.display());
        }
        let device = kernel_device(major(metadata.dev()), minor(metadata.dev()));
        Ok(Self {
            path: path.to_owned(),
            device,
            inode: metadata.ino(),
        })
    }
}

/// Inside the kernel a device number has 12 bits for the major part and 20 for the minor; stat(2)
/// mixes them.
fn kernel_device(major: u32, minor: u32) -> u32 {
    major << 20 | minor
}

// ANCHOR: active
/// Where `bpf` is not among the active LSMs, all that follows works, except that nobody is ever
/// refused anything.
pub fn check_active(active: &[String]) -> Result<(), NotReady> {
    if active.iter().any(|name| name == "bpf") {
        return Ok(());
    }
    let active = active.join(",");
    Err(NotReady::new(format!(
        "refuse anything: bpf is not among the active LSMs, which are {active}"
    ))
    .help(format!(
        "boot with lsm={active},bpf on the kernel command line"
    ))
    .help("in Debian that is GRUB_CMDLINE_LINUX in /etc/default/grub, then update-grub and reboot")
    .help("cargo xtask run lsm runs the lesson in a virtual machine that has it"))
}
// ANCHOR_END: active

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> Vec<String> {
        text.split(',').map(str::to_owned).collect()
    }

    #[test]
    fn bpf_must_be_an_active_lsm() {
        check_active(&names("lockdown,capability,bpf")).expect("it is there");
        let problem =
            check_active(&names("lockdown,capability,bpfx")).expect_err("it is not there");
        assert!(
            problem
                .to_string()
                .ends_with("which are lockdown,capability,bpfx"),
            "{problem}"
        );
        let help = "boot with lsm=lockdown,capability,bpfx,bpf on the kernel command line";
        assert_eq!(problem.help_lines()[0], help);
    }

    #[test]
    fn a_directory_is_known_by_device_and_inode() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let found = Directory::find(folder.path()).expect("it is a directory");
        assert_eq!(
            found.inode,
            fs::metadata(folder.path()).expect("it is there").ino()
        );
        assert_eq!(kernel_device(8, 1), 0x80_0001);
        assert_eq!(kernel_device(0, 0x12345), 0x1_2345);
    }

    #[test]
    fn what_is_no_directory_is_refused() {
        let folder = tempfile::tempdir().expect("a temporary folder can be made");
        let file = folder.path().join("file");
        fs::write(&file, "").expect("a file can be written");
        for (path, why) in [
            (file.clone(), "it is no directory"),
            (file.join("x"), "Not a directory"),
        ] {
            let error = Directory::find(&path).err().expect("it is no directory");
            assert!(format!("{error:#}").contains(why), "{error:#}");
        }
    }
}
