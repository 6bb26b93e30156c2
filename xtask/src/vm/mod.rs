//! The virtual machine: boots a kernel with our own init and runs plans in it.
//!
//! ```text
//!   Machine   what to boot: kernel, initial file system, accelerator
//!   Qemu      the process, and the two lines into the guest
//!   Console   what the kernel prints: its last words, and signs of a crash
//!   Guest     a booted machine that takes plans
//! ```
//!
//! A VM has no file of its own: the initial file system is an anonymous memory file, the lines are socket pairs, and
//! QEMU dies with its parent. So nothing can be left behind, however xtask ends, and VMs cannot disturb each other.

mod accel;
mod console;
mod guest;
mod qemu;
mod start;

pub use accel::{Accel, KvmState, kvm_state};
pub use guest::{Death, Failure, Guest, Happening, Keyboard, PlanReport, StepReport, Stream};
pub use start::{Interrupted, Started, last_words, start, time_to_end};

use std::path::PathBuf;

/// What to boot.
#[derive(Clone, Debug)]
pub struct Machine {
    /// The QEMU program.
    pub qemu: PathBuf,
    /// A bzImage or an uncompressed vmlinux.
    pub kernel: PathBuf,
    pub memory_mib: u32,
}

/// The initial file system of a guest, as cpio archives one after the other.
pub type Initramfs = Vec<u8>;
