//! The language between the host (`xtask`) and the guest's init (PID 1 in the VM).
//!
//! ```text
//!   host                                     guest
//!    |                    <- Ready            |  everything is mounted; a snapshot is taken here,
//!    |                                        |  or none
//!    | Order::Wake        ->                  |  booted or resumed just now: the clock and the
//!    |                                        |  random numbers
//!    |                    <- Awake            |
//!    | Order::Unpack      ->                  |  the programs are in the shared memory, or came
//!    |                                        |  with the boot
//!    |                    <- Unpacked         |
//!    | Order::Add         ->                  |  perhaps: what is to run with them
//!    |                    <- Unpacked         |
//!    | Order::Run         ->                  |  a plan; its clock is set first
//!    |                    <- Started(step 0)  |
//!    |                    <- output bytes     |
//!    |                    <- WantsInput       |  if the step has input: answered by some of it
//!    | Order::EndStep     ->                  |  perhaps: its time is up
//!    |                    <- Observed         |  what it loaded, if the step asks for that
//!    |                    <- Ended(step 0)    |  ... and so on for each step
//!    |                    <- Finished         |  ready for another plan
//!    | Order::Remove      ->                  |  perhaps: what was added goes, for others
//!    |                    <- Removed          |
//! ```
//!
//! There is no order to end: a VM has nothing to save, and the host ends it with its QEMU.
//!
//! A [`Plan`] is a list of [`Step`]s: programs with their arguments and limits. Everything travels
//! as [`frame`]s over a serial line of its own, so kernel messages and a program's output never mix
//! with the conversation.

pub mod frame;
pub mod judge;
pub mod load;
pub mod log;

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// Bumped when host and guest would misunderstand each other.
pub const VERSION: u32 = 10;

/// Programs to run one after the other in one guest.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Plan {
    pub steps: Vec<Step>,
}

/// One program with its arguments and limits.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Step {
    /// Path of the program inside the guest.
    pub program: String,
    pub args: Vec<String>,
    /// Extra environment variables.
    #[serde(default)]
    pub env: Vec<(String, String)>,
    /// Seconds after which the step is ended. None: no limit, for what the user ends. The host
    /// counts them: only it knows when a busy machine did not let the guest run.
    pub seconds: Option<u64>,
    /// Bytes of output after which the step is ended: a serial line carries under 1 MB/s.
    pub output_limit: Option<u64>,
    /// Give the program a terminal of this size instead of pipes.
    pub terminal: Option<Size>,
    /// Watch which eBPF programs it loads, and what they cost: [`News::Observed`].
    #[serde(default)]
    pub observe: bool,
    /// For a program that expects to run where it was built. None: a program of the course's.
    #[serde(default)]
    pub surroundings: Option<Surroundings>,
}

/// What a program finds that knows nothing of guests: it may write everywhere, and what it leaves
/// running or mounted is named. The guest should not be used again after it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Surroundings {
    /// Where it starts.
    pub directory: String,
    /// Its standard input is asked for with [`News::WantsInput`]. False: it is empty.
    pub input: bool,
}

/// A terminal's size in characters.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Size {
    pub rows: u16,
    pub columns: u16,
}

/// Random, and another for each run of a plan: only init and the host know it. So nothing that a
/// program happens to write to the line, and nothing that an earlier plan left in it, is taken for
/// a result. Against a program that means it there is no defence: as root, it can read it in init.
pub type Token = u64;

/// What the guest tells the host, besides output.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum News {
    /// The guest waits for orders.
    Ready {
        version: u32,
        release: String,
        /// Modules that came with the boot and could not be loaded, and why.
        not_loaded: Vec<String>,
        /// Since the boot, by the guest's clock.
        uptime: Duration,
    },
    /// The clock is right and the random numbers are new.
    Awake { release: String },
    /// The programs are in place.
    Unpacked,
    /// What was added is gone.
    Removed,
    /// The step with this index has been started.
    Started(usize),
    /// What the step that is about to end has loaded into the kernel, or why that is not known.
    Observed(Result<Observed, String>),
    /// The running step can take more of its standard input: one frame, which is empty at the end.
    WantsInput,
    /// The step has ended and left nothing running.
    Ended {
        step: usize,
        outcome: Outcome,
        micros: u64,
        /// The plan's.
        token: Token,
    },
    /// Lines of the kernel's log that no healthy run leaves: warnings with a trace, oopses.
    KernelComplained(Vec<String>),
    /// What the plan left in the kernel or in the file system, although all its processes have
    /// ended.
    LeftBehind(Vec<String>),
    /// All steps of the plan with this token have ended.
    Finished(Token),
}

/// eBPF programs that were loaded while a step ran.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Observed {
    /// In the order in which they were loaded.
    pub programs: Vec<ProgramInfo>,
    /// How many had no BTF: what a library loads only to see whether the kernel takes it. They are
    /// not kept.
    pub without_btf: usize,
    /// How many were gone before they could be looked at.
    pub missed: usize,
}

/// What the kernel tells of a program, under the names of `struct bpf_prog_info`.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct ProgramInfo {
    /// At most 15 bytes: the kernel keeps no more.
    pub name: String,
    /// `BPF_PROG_TYPE_*`
    pub prog_type: u32,
    /// Bytes of the bytecode as the kernel runs it: 8 an instruction.
    pub xlated_prog_len: u32,
    /// Bytes of machine code. Zero where the JIT compiler is off.
    pub jited_prog_len: u32,
    /// How many instructions the verifier followed, on all paths together. Told by Linux 5.16 and
    /// later.
    pub verified_insns: Option<u32>,
    pub run_cnt: u64,
    pub run_time_ns: u64,
}

/// How a step ended.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Outcome {
    Exited(i32),
    Killed(i32),
    /// It used up `Step::seconds`.
    TimedOut,
    /// It used up `Step::output_limit`.
    Flooded,
    /// The program could not be started, and why.
    NotStarted(String),
}

impl Outcome {
    pub fn succeeded(&self) -> bool {
        *self == Outcome::Exited(0)
    }
}

/// What the host asks of the guest, besides input for a terminal.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Order {
    /// The guest has just been booted or resumed.
    Wake { now: Duration, seed: Vec<u8> },
    /// Replace the programs.
    Unpack(Source),
    /// Put more programs beside those that are there: in the shared memory, this many bytes long.
    Add(usize),
    /// Remove all that was added.
    Remove,
    /// Run a plan. A VM may stay up for long, and the host's clock may be set meanwhile.
    Run {
        plan: Plan,
        now: Duration,
        token: Token,
    },
    /// The step with this index has used up its time, if it still runs.
    EndStep(usize),
    /// Send this signal to the running step.
    Signal(i32),
    /// The user's terminal has a new size.
    Resize(Size),
}

/// Where the guest finds a cpio archive with the programs.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Source {
    /// In the shared memory, this many bytes long.
    SharedMemory(usize),
    /// In the file [`BOOT_ARCHIVE`], which came with the initial file system.
    Boot,
}

/// Where the initial file system has the kernel modules that are loaded at boot, in the order of
/// their names.
pub const MODULES: &str = "/modules";

/// What the kernel logs when it has ended a process because the memory was full.
pub const OUT_OF_MEMORY: &str = "Out of memory: ";

/// See [`Source::Boot`].
pub const BOOT_ARCHIVE: &str = "/programs.cpio";
