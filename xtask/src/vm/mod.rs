//! The virtual machine: boots a kernel with our own init and runs plans in it.
//!
//! ```text
//!   Machine        what to boot: kernel, QEMU, memory
//!   Qemu           the process, and the lines into the guest
//!   Console        what the kernel prints: its last words, and signs of a crash
//!   Guest          a running guest that takes plans
//!   SharedMemory   how programs get into a running guest
//!   Snapshot       a guest that has booted, in a file; resuming it takes a tenth of the time
//!   Monitor        QEMU's own interface: save, resume
//! ```
//!
//! A VM has no file of its own: the initial file system is an anonymous memory file, the lines are
//! socket pairs, and QEMU dies with its parent. So nothing can be left behind, however xtask ends,
//! and VMs cannot disturb each other.

mod accel;
mod cmpxchg16b;
mod console;
mod guest;
mod monitor;
mod qemu;
mod shared_memory;
mod snapshot;
mod start;

pub use accel::{Accel, KvmState, OVERRIDE, kvm_state};
pub use cmpxchg16b::Cmpxchg16b;
pub use guest::{Death, Failure, Guest, Happening, Keyboard, PlanReport, StepReport, Stream};
pub use qemu::NANOSECONDS;
pub use start::{
    HeadStart, How, Interrupted, Started, head_start, head_start_beside, last_words, start,
    time_to_end,
};

use std::path::PathBuf;

/// What to boot.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The QEMU program.
    pub qemu: PathBuf,
    /// A bzImage or an uncompressed vmlinux.
    pub kernel: PathBuf,
    /// `.../lib/modules/RELEASE`; `None` when the kernel came without modules.
    pub modules: Option<PathBuf>,
    pub memory_mib: u32,
    pub clock: Clock,
    /// When it is emulated.
    pub cmpxchg16b: Cmpxchg16b,
}

/// What time is in a VM.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Clock {
    /// The host's: it goes on while the VM waits for a core.
    Host,
    /// The instructions that the VM has executed, [`NANOSECONDS`] each, and the host's while all
    /// its CPUs sleep: what is measured does not depend on what else the host does. Such a VM is
    /// always emulated, has one CPU and no snapshot.
    Instructions,
}

/// Programs for a guest, as a cpio archive.
pub type Programs = Vec<u8>;
