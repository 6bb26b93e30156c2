//! A test VM: a kernel, files and a plan go in, an outcome comes out. It knows no lesson, no set-up
//! and no command line; what it needs of the machine (QEMU, the guest's init) is given to it.
//!
//! ```text
//!   Machine        what to boot: kernel, QEMU, memory
//!   Board          what differs between architectures
//!   QemuProcess    QEMU, its command line, and the lines into the guest
//!   confinement    what QEMU is kept from
//!   Console        what the kernel prints: its last words, and signs of a crash
//!   Guest          a running guest that takes plans
//!   EventQueue     whatever it brings up
//!   Patience       how long to wait for it, on a busy machine too
//!   PlanProgress   how far it is with a plan: what it says is not taken on trust
//!   PlanReport     what became of a plan
//!   SharedMemory   how programs get into a running guest
//!   GuestMemory    the memory of a guest that is going to be saved
//!   Snapshot       a guest that has booted, in a file; resuming it takes a tenth of the time
//!   Monitor        QEMU's own interface: save, resume
//!   timeline       when a run got where, for whoever measures it
//!   image          what goes into a guest: the initial file system, programs with their libraries
//! ```
//!
//! A VM has no file on disk: the initial file system is an anonymous memory file, the lines are
//! socket pairs, and QEMU dies with its parent. So nothing can be left behind, however xtask ends,
//! and VMs cannot disturb each other.

mod accel;
mod board;
mod cmpxchg16b;
mod confinement;
mod console;
mod digest;
mod guest;
mod guest_events;
mod guest_memory;
pub mod image;
mod machine;
mod monitor;
mod pages;
mod patience;
mod plan_progress;
mod plan_report;
mod qemu;
mod shared_memory;
mod snapshot;
mod start;
pub mod timeline;
mod usage;

pub use accel::{Accel, KvmState, OVERRIDE, find_kvm_state};
pub use cmpxchg16b::Cmpxchg16b;
pub use digest::Digest;
pub use guest::{Death, Failure, Guest, Happening, Keyboard};
pub use guest_events::Stream;
pub use machine::{Machine, Programs, VmClock};
pub use plan_progress::{PlanProgress, PlanTurn};
pub use plan_report::{PlanReport, StepReport};
pub use qemu::NANOSECONDS;
pub use start::{
    HeadStart, How, Started, WRONG_CLOCK, show_last_words, start_ahead, start_guest,
    time_shortest_vm,
};
pub use usage::VM_USAGE;
