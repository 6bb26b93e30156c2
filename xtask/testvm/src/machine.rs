//! What a VM is made of.

use std::path::PathBuf;

use anyhow::Result;
use kernel::Architecture;

use crate::cmpxchg16b::Cmpxchg16b;

/// What to boot.
#[derive(Clone, Debug)]
pub struct Machine {
    /// That of the kernel.
    pub architecture: Architecture,
    /// The QEMU program.
    pub qemu: PathBuf,
    /// A bzImage or an uncompressed vmlinux; an Image for arm64.
    pub kernel: PathBuf,
    /// `.../lib/modules/RELEASE`; `None` when the kernel came without modules.
    pub modules: Option<PathBuf>,
    /// Gives the bytes of the guest's init, a static program. It is asked for when a snapshot is
    /// looked for, and at each boot.
    pub init: fn(Architecture) -> Result<Vec<u8>>,
    /// Where snapshots are, and what is known about KVM on this machine.
    pub state: PathBuf,
    pub memory_mib: u32,
    pub clock: VmClock,
    /// When it is emulated; only amd64 has the instruction.
    pub cmpxchg16b: Cmpxchg16b,
    /// Whether QEMU can forbid itself system calls.
    pub sandbox: bool,
}

impl Machine {
    pub fn memory_bytes(&self) -> u64 {
        u64::from(self.memory_mib) << 20
    }
}

/// What time is in a VM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VmClock {
    /// The host's: it goes on while the VM waits for a core.
    Host,
    /// The instructions that the VM has executed, [`NANOSECONDS`](crate::NANOSECONDS) each, and the
    /// host's while all its CPUs sleep: what is measured does not depend on what else the host
    /// does. Such a VM is always emulated, has one CPU and no snapshot.
    Instructions,
}

/// Programs for a guest, as a cpio archive.
pub type Programs = Vec<u8>;
