//! What QEMU is kept from, should a guest find a fault in it.
//!
//! The first wall is the machine: it has no device that leads to a file, a network or a process of
//! the host. These are more walls around the process. The sandbox, the namespace and the end
//! of root's rights are there where the host permits them; a guest runs without them too.

use std::env;
use std::ffi::OsStr;
use std::io;
use std::os::fd::{BorrowedFd, RawFd};
use std::process::Command;

use nix::errno::Errno;
use nix::fcntl::{FcntlArg, FdFlag, fcntl};
use nix::libc;
use nix::sched::{CloneFlags, unshare};
use nix::sys::prctl::set_no_new_privs;
use nix::sys::resource::{Resource, getrlimit, setrlimit};

/// QEMU's filter of system calls: no program is started, no right gained, no priority changed.
pub const SANDBOX: &str = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny";

/// What the environment has for a QEMU to be found and loaded. A name with `_` at its end means all
/// that begin with it. Everything else, such as a registry's token, stays out.
const KEPT: [&str; 7] = [
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "NIX_LD",
    "NIX_LD_",
    "QEMU_",
    "XTASK_",
];

/// From `linux/securebits.h`: when root starts a program, it is a user like others, for good.
const NO_ROOT: libc::c_ulong = 0b11;

pub fn clean_surroundings(command: &mut Command) {
    command.current_dir("/").env_clear().env("LC_ALL", "C");
    for (name, value) in env::vars_os().filter(|(name, _)| stays(name)) {
        command.env(name, value);
    }
}

fn stays(name: &OsStr) -> bool {
    let name = name.to_string_lossy();
    KEPT.iter().any(|kept| match kept.ends_with('_') {
        true => name.starts_with(kept),
        false => name == *kept,
    })
}

/// For a process between fork and exec: only system calls are made. No file that it writes can
/// become larger than that.
pub fn confine_process(largest_file: u64) -> io::Result<()> {
    set_no_new_privs()?;
    // A core file would have the guest's memory in it.
    limit_resource(Resource::RLIMIT_CORE, 0)?;
    limit_resource(Resource::RLIMIT_FSIZE, largest_file)?;
    leave_network();
    drop_root();
    Ok(())
}

/// All descriptors but those three and these are closed when the program starts, whoever opened
/// them: a terminal, a pipe of cargo's.
pub fn keep_descriptors(kept: impl Iterator<Item = RawFd>) -> io::Result<()> {
    let all_but_standard = 3;
    // SAFETY: the call takes numbers and touches no memory; it closes nothing yet.
    let marked = unsafe {
        libc::syscall(
            libc::SYS_close_range,
            all_but_standard,
            libc::c_uint::MAX,
            libc::CLOSE_RANGE_CLOEXEC,
        )
    };
    // Linux has it since 5.11. Before that, descriptors stay that others have left open.
    let _ = Errno::result(marked);
    for descriptor in kept {
        // SAFETY: whoever asks to keep it has it open.
        let descriptor = unsafe { BorrowedFd::borrow_raw(descriptor) };
        fcntl(descriptor, FcntlArg::F_SETFD(FdFlag::empty()))?;
    }
    Ok(())
}

fn limit_resource(resource: Resource, most: u64) -> io::Result<()> {
    let (_, hard) = getrlimit(resource)?;
    let most = most.min(hard);
    Ok(setrlimit(resource, most, most)?)
}

/// A namespace without any interface. Root may make one; others may where users may have
/// namespaces of their own.
fn leave_network() {
    let network = CloneFlags::CLONE_NEWNET;
    let _ = unshare(network).or_else(|_| unshare(CloneFlags::CLONE_NEWUSER | network));
}

/// QEMU stays the same user, who owns the snapshot, but has none of root's capabilities. Fails for
/// all but root, who have none.
fn drop_root() {
    // SAFETY: the call takes numbers and touches no memory.
    let _ = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, NO_ROOT, 0, 0, 0) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_has_no_secrets() {
        for name in ["PATH", "HOME", "QEMU_MODULE_DIR", "XTASK_QEMU"] {
            assert!(stays(name.as_ref()), "{name}");
        }
        for name in [
            "CARGO_REGISTRY_TOKEN",
            "SSH_AUTH_SOCK",
            "PATHS",
            "MAKEFLAGS",
            "DISPLAY",
        ] {
            assert!(!stays(name.as_ref()), "{name}");
        }
    }
}
