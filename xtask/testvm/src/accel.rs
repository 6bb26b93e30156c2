//! The accelerator: KVM where it really runs a guest, QEMU's own emulation (TCG) everywhere else.
//!
//! `/dev/kvm` may open, answer, and still hang a kernel, for example inside a VM. So the only proof
//! is a guest that says READY in time; when it does not, that is remembered for this machine.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use kernel::Architecture;
use problem::Problem;
use serde::{Deserialize, Serialize};

/// Overrides every check: `kvm` or `tcg`.
pub const OVERRIDE: &str = "XTASK_ACCEL";

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Accel {
    Kvm,
    Tcg,
}

impl Accel {
    /// What [`OVERRIDE`] calls it.
    pub fn name(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            Accel::Tcg => "tcg",
        }
    }

    pub fn qemu_argument(self) -> &'static str {
        match self {
            Accel::Kvm => "kvm",
            // With several threads, QEMU before version 10 loses races against a kernel that
            // patches its own text, as attaching a kprobe makes it do.
            Accel::Tcg => "tcg,thread=single",
        }
    }
}

/// What is known about KVM on this machine.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum KvmState {
    /// The user said so.
    Forced(Accel),
    /// It cannot work, and why.
    Unusable(String),
    /// It may work: the next boot tells.
    Promising,
}

impl KvmState {
    pub fn choose_accel(&self) -> Accel {
        match self {
            KvmState::Forced(accel) => *accel,
            KvmState::Unusable(_) => Accel::Tcg,
            KvmState::Promising => Accel::Kvm,
        }
    }
}

/// A kernel that did not become ready with KVM on this machine, and did without.
#[derive(Deserialize, Serialize)]
struct Verdict {
    host: String,
    why: String,
}

/// Whether VMs of this architecture can use KVM. `state` is the directory of
/// [`Machine::state`](crate::Machine).
pub fn find_kvm_state(state: &Path, guest: Architecture) -> Result<KvmState> {
    if guest != Architecture::HOST {
        let why = format!(
            "this machine is {}, the guest is {guest}",
            Architecture::HOST
        );
        return Ok(KvmState::Unusable(why));
    }
    match std::env::var(OVERRIDE).ok().as_deref() {
        None | Some("") => {}
        Some("kvm") => return Ok(KvmState::Forced(Accel::Kvm)),
        Some("tcg") => return Ok(KvmState::Forced(Accel::Tcg)),
        Some(other) => {
            return Err(Problem::usage(format!(
                "{OVERRIDE} is '{other}', which is neither 'kvm' nor 'tcg'"
            ))
            .into());
        }
    }
    let cpu = fs::read_to_string("/proc/cpuinfo").context("cannot read /proc/cpuinfo")?;
    Ok(judge(guest, &cpu, open_device(), remembered(state)))
}

fn judge(
    guest: Architecture,
    cpu: &str,
    device: std::io::Result<()>,
    verdict: Option<Verdict>,
) -> KvmState {
    if let Err(error) = device {
        return KvmState::Unusable(match error.kind() {
            ErrorKind::NotFound => "there is no /dev/kvm".to_owned(),
            ErrorKind::PermissionDenied => "no right to open /dev/kvm".to_owned(),
            _ => format!("/dev/kvm cannot be opened: {error}"),
        });
    }
    if guest == Architecture::Amd64 && !has_virtualization(cpu) {
        return KvmState::Unusable(
            "/dev/kvm exists, but the CPU shows neither vmx nor svm".to_owned(),
        );
    }
    match verdict {
        Some(verdict) if verdict.host == host() => KvmState::Unusable(verdict.why),
        _ => KvmState::Promising,
    }
}

/// Of an x86 CPU; others do not say it.
fn has_virtualization(cpu: &str) -> bool {
    let flags = cpu.lines().find(|line| line.starts_with("flags"));
    let mut flags = flags.unwrap_or_default().split_whitespace();
    flags.any(|flag| flag == "vmx" || flag == "svm")
}

fn open_device() -> std::io::Result<()> {
    fs::File::options()
        .read(true)
        .write(true)
        .open("/dev/kvm")
        .map(drop)
}

/// Remembers that a kernel which boots without KVM did not boot with it. A new host kernel gets a
/// new chance.
///
/// A cache that cannot be written only means that the next run finds out again.
pub fn remember_failure(state: &Path, why: &str) {
    let verdict = Verdict {
        host: host(),
        why: why.to_owned(),
    };
    if let Ok(text) = serde_json::to_vec(&verdict) {
        let _ = fs::write(verdict_path(state), text);
    }
}

fn remembered(state: &Path) -> Option<Verdict> {
    serde_json::from_slice(&fs::read(verdict_path(state)).ok()?).ok()
}

fn verdict_path(state: &Path) -> PathBuf {
    state.join("kvm-verdict.json")
}

/// This machine with its kernel: the cache may be shared with other machines.
fn host() -> String {
    let machine = fs::read_to_string("/etc/machine-id").unwrap_or_default();
    format!("{} {}", machine.trim(), kernel::running_release())
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTEL: &str = "processor\t: 0\nflags\t\t: fpu vme vmx sse\n";
    const AMD64: Architecture = Architecture::Amd64;
    const BARE: &str = "processor\t: 0\nflags\t\t: fpu vme sse\n";

    #[test]
    fn a_device_without_cpu_support_is_not_believed() {
        let state = judge(AMD64, BARE, Ok(()), None);
        assert!(matches!(state, KvmState::Unusable(why) if why.contains("vmx")));
    }

    #[test]
    fn a_promising_machine_is_tried() {
        assert_eq!(judge(AMD64, INTEL, Ok(()), None), KvmState::Promising);
    }

    #[test]
    fn a_cpu_of_arm64_does_not_say_what_it_can() {
        let state = judge(Architecture::Arm64, "Features\t: fp asimd\n", Ok(()), None);
        assert_eq!(state, KvmState::Promising);
    }

    #[test]
    fn no_right_is_said() {
        let denied = Err(ErrorKind::PermissionDenied.into());
        let KvmState::Unusable(why) = judge(AMD64, INTEL, denied, None) else {
            panic!("KVM is taken for usable")
        };
        assert!(why.contains("no right"), "{why}");
    }

    #[test]
    fn a_verdict_holds_on_the_same_host_kernel_only() {
        let here = Verdict {
            host: host(),
            why: "it hung".to_owned(),
        };
        assert_eq!(
            judge(AMD64, INTEL, Ok(()), Some(here)),
            KvmState::Unusable("it hung".to_owned())
        );
        let before = Verdict {
            host: "5.4.0".to_owned(),
            why: "it hung".to_owned(),
        };
        assert_eq!(
            judge(AMD64, INTEL, Ok(()), Some(before)),
            KvmState::Promising
        );
    }
}
