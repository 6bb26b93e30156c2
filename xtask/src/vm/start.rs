//! Starts a guest: picks the accelerator, boots, tries again when a boot dies.
//!
//! A resume from a snapshot will slot in here: it ends with the same ready [`Guest`].

use std::time::{Duration, Instant};

use super::Machine;
use super::accel::{self, Accel, KvmState};
use super::guest::{Death, Failure, Guest};
use super::qemu::Qemu;
use crate::problem::{Exit, Problem};

/// Under emulation one boot in some hundreds dies early, before any program of ours runs.
const ATTEMPTS: usize = 3;

/// A guest that is ready, and how it got there.
pub struct Started {
    pub guest: Guest,
    pub release: String,
    pub accel: Accel,
    pub boot: Duration,
    /// Why boots before this one died.
    pub failed_boots: Vec<String>,
}

/// Boots until a guest is ready. A boot that dies is this machine's fault, never the lesson's.
pub fn start(machine: &Machine, initramfs: &[u8]) -> Result<Started, Failure> {
    let mut state = accel::kvm_state().map_err(Failure::Caller)?;
    let mut failed_boots = Vec::new();
    let mut kvm_failed = None;
    loop {
        let accel = state.accel();
        let begin = Instant::now();
        match boot(machine, accel, initramfs) {
            Ok((guest, release)) => {
                // Only now it is KVM's fault, and not the kernel's.
                kvm_failed.iter().for_each(|why: &String| accel::remember_failure(why));
                return Ok(Started { guest, release, accel, boot: begin.elapsed(), failed_boots });
            }
            Err(Failure::Died(death)) if state == KvmState::Promising => {
                let why = format!("a boot with KVM did not get through ({})", death.why);
                kvm_failed = death.qemu_failed.is_none().then(|| why.clone());
                failed_boots.push(why.clone());
                state = KvmState::Unusable(why);
            }
            // When QEMU itself refused, another attempt would end the same way.
            Err(Failure::Died(death)) if failed_boots.len() + 1 < ATTEMPTS && death.qemu_failed.is_none() => {
                failed_boots.push(death.why);
            }
            Err(Failure::Died(death)) => {
                return Err(Failure::Caller(not_booted(&death, failed_boots.len() + 1)));
            }
            Err(failure) => return Err(failure),
        }
    }
}

/// How long a VM takes whose init ends it at once: what no run can beat.
pub fn time_to_end(machine: &Machine, accel: Accel, initramfs: &[u8]) -> anyhow::Result<Duration> {
    let begin = Instant::now();
    let (qemu, _lines) = Qemu::spawn(machine, accel, initramfs)?;
    qemu.wait(boot_limit(accel))?;
    Ok(begin.elapsed())
}

fn boot(machine: &Machine, accel: Accel, initramfs: &[u8]) -> Result<(Guest, String), Failure> {
    let mut guest = Qemu::spawn(machine, accel, initramfs)
        .and_then(|(qemu, lines)| Guest::new(qemu, lines))
        .map_err(Failure::Caller)?;
    let release = guest.wait_until_ready(boot_limit(accel))?;
    Ok((guest, release))
}

/// Many times what a boot takes, so that a busy machine does not look broken.
fn boot_limit(accel: Accel) -> Duration {
    match accel {
        Accel::Kvm => Duration::from_secs(10),
        Accel::Tcg => Duration::from_secs(30),
    }
}

fn not_booted(death: &Death, attempts: usize) -> anyhow::Error {
    let what = match &death.qemu_failed {
        None => format!("the VM did not boot, in {attempts} attempts: {}", death.why),
        Some(why) => format!("QEMU could not run a VM: {why}"),
    };
    let mut problem = Problem::machine(what);
    if death.qemu_failed.as_ref().is_some_and(|why| why.contains("allocate memory")) {
        problem =
            problem.help("close other programs: a VM needs 256 MiB of memory, and QEMU some more for itself");
    }
    problem.help(last_words(death)).help("cargo xtask doctor").into()
}

/// The end of the kernel's console, for a person.
pub fn last_words(death: &Death) -> String {
    match death.last_words.as_slice() {
        [] => "the kernel printed nothing".to_owned(),
        lines => format!("the kernel's last words:\n    {}", lines.join("\n    ")),
    }
}

impl std::fmt::Display for Death {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.qemu_failed {
            None => f.write_str(&self.why),
            Some(why) => write!(f, "QEMU failed: {why}"),
        }
    }
}

impl Failure {
    /// Makes an error of it, for a caller that has nothing to add.
    pub fn into_error(self) -> anyhow::Error {
        match self {
            Failure::Interrupted(signal) => Interrupted(signal).into(),
            Failure::Caller(error) => error,
            Failure::Died(death) => {
                Problem::new(Exit::NotYet, death.to_string()).help(last_words(&death)).into()
            }
        }
    }
}

/// The user ended the command by this signal; nothing is left to say.
#[derive(Debug)]
pub struct Interrupted(pub i32);

impl std::fmt::Display for Interrupted {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "interrupted by signal {}", self.0)
    }
}

impl std::error::Error for Interrupted {}
