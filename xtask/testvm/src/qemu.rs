//! The QEMU process: its command line, its descriptors, and its end.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::{Signal, killpg};
use problem::Problem;
use processes::child::pid_of;

use crate::accel::Accel;
use crate::board::{self, Board};
use crate::confinement;
use crate::machine::{Machine, VmClock};
use crate::shared_memory::SharedMemory;
use crate::timeline::note_moment;
use crate::usage::VmUsage;

/// Kernel parameters on every machine, and why each is there.
const KERNEL_PARAMETERS: [&str; 7] = [
    // Only what matters reaches the console; it is shown when something goes wrong.
    "quiet",
    // A panic restarts at once, which ends QEMU.
    "panic=-1",
    // BPF must be named to be an active LSM.
    "lsm=bpf",
    "nokaslr",
    // A program lies at the same addresses whenever it runs, and so does the C library in all
    // programs. QEMU 7.2 keeps what it has translated for one address only: a guest that runs
    // hundreds of programs costs 0.57 of the CPU time. See findings/.
    "norandmaps",
    "cryptomgr.notests",
    // Attaching and detaching wait until no CPU can still run the old code. Asking the CPUs is
    // quicker than waiting for their next ticks: 0.15 s for a kprobe and a kretprobe.
    "rcupdate.rcu_expedited=1",
];

/// How long an instruction takes with [`VmClock::Instructions`], a power of two: near what
/// emulating it takes, so that a time limit means about what it says.
pub const NANOSECONDS: u64 = 4;

/// More than QEMU writes into a snapshot besides the guest's memory: its devices and firmware.
const DEVICES_AT_MOST: u64 = 64 << 20;

/// A running QEMU. Dropping it ends it.
pub struct QemuProcess {
    child: Child,
    errors: Option<ChildStderr>,
    usage: Option<VmUsage>,
}

/// The host's ends of the lines into the VM.
pub struct HostLines {
    pub console: UnixStream,
    pub plans: UnixStream,
    pub monitor: UnixStream,
}

/// What a VM starts from.
#[derive(Clone, Copy)]
pub enum Origin<'a> {
    /// The kernel, with this initial file system.
    Boot(&'a [u8]),
    /// The same, to be saved: this file is the guest's memory.
    BootToSave(&'a [u8], &'a File),
    /// A guest that was saved with the same command line. The file begins with its memory.
    Snapshot(&'a File),
}

impl Origin<'_> {
    /// What the guest does, for a table of figures.
    fn verb(self) -> &'static str {
        match self {
            Origin::Boot(_) | Origin::BootToSave(..) => "booted",
            Origin::Snapshot(_) => "resumed",
        }
    }
}

/// Descriptors that QEMU inherits, by their numbers.
struct Inherited {
    console: RawFd,
    plans: RawFd,
    monitor: RawFd,
    programs: Option<RawFd>,
    start: Start,
}

/// [`Origin`] as QEMU is told it.
#[derive(Clone, Copy)]
enum Start {
    /// The initial file system, and perhaps the file that is the guest's memory.
    Boot {
        kernel: RawFd,
        initramfs: RawFd,
        memory: Option<RawFd>,
    },
    Snapshot(RawFd),
}

impl Start {
    /// The size of the largest file that QEMU has to write: a snapshot, or none.
    fn largest_file(self, machine: &Machine) -> u64 {
        match self {
            Start::Boot {
                memory: Some(_), ..
            } => machine.memory_bytes() + DEVICES_AT_MOST,
            Start::Boot { memory: None, .. } | Start::Snapshot(_) => 0,
        }
    }

    /// A saved guest has shared memory at an address that a QEMU which has only just started knows
    /// nothing of, and refuses. Its private view of the file is as good: nobody but xtask writes.
    fn share_of_programs(self) -> &'static str {
        match self {
            Start::Boot { .. } => "on",
            Start::Snapshot(_) => "off",
        }
    }
}

impl Inherited {
    fn all(&self) -> impl Iterator<Item = RawFd> {
        let (origin, others) = match self.start {
            Start::Boot {
                kernel,
                initramfs,
                memory,
            } => (initramfs, [Some(kernel), memory]),
            Start::Snapshot(file) => (file, [None; 2]),
        };
        [self.console, self.plans, self.monitor, origin]
            .into_iter()
            .chain(self.programs)
            .chain(others.into_iter().flatten())
    }
}

impl QemuProcess {
    /// Starts QEMU. `programs` is what the guest sees as its shared memory.
    pub fn spawn_qemu(
        machine: &Machine,
        accel: Accel,
        origin: Origin<'_>,
        programs: Option<&SharedMemory>,
    ) -> Result<(Self, HostLines)> {
        let pair = || UnixStream::pair().context("cannot create a socket pair");
        let ((console, guest_console), (plans, guest_plans), (monitor, guest_monitor)) =
            (pair()?, pair()?, pair()?);
        let boot = match origin {
            Origin::Boot(bytes) | Origin::BootToSave(bytes, _) => {
                Some((open_kernel(machine)?, memory_file(bytes)?))
            }
            Origin::Snapshot(_) => None,
        };
        let start = match (origin, &boot) {
            (Origin::Snapshot(file), _) => Start::Snapshot(file.as_raw_fd()),
            (Origin::Boot(_) | Origin::BootToSave(..), Some((kernel, initramfs))) => Start::Boot {
                kernel: kernel.as_raw_fd(),
                initramfs: initramfs.as_raw_fd(),
                memory: match origin {
                    Origin::BootToSave(_, memory) => Some(memory.as_raw_fd()),
                    _ => None,
                },
            },
            (_, None) => unreachable!("a boot has a kernel"),
        };
        let inherited = Inherited {
            console: guest_console.as_raw_fd(),
            plans: guest_plans.as_raw_fd(),
            monitor: guest_monitor.as_raw_fd(),
            programs: programs.map(SharedMemory::as_raw_fd),
            start,
        };
        let largest_file = start.largest_file(machine);

        // It is started in another directory.
        let program = std::path::absolute(&machine.qemu).context("cannot find QEMU")?;
        let mut command = Command::new(program);
        confinement::clean_surroundings(&mut command);
        command
            .args(qemu_command_line(machine, accel, &inherited))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for xtask to handle.
            .process_group(0);
        // SAFETY: between fork and exec only system calls are made, on descriptors that stay open
        // until after the spawn; nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                confinement::keep_descriptors(inherited.all())?;
                confinement::confine_process(largest_file)?;
                // The last: a change of rights makes the kernel forget it.
                Ok(set_pdeathsig(Signal::SIGKILL)?)
            });
        }
        note_moment("QEMU starts");
        let mut child = command
            .spawn()
            .map_err(|error| cannot_start(machine, &error))?;
        let errors = child.stderr.take();
        let usage = VmUsage::start_counting(child.id(), origin.verb());
        Ok((
            Self {
                child,
                errors,
                usage,
            },
            HostLines {
                console,
                plans,
                monitor,
            },
        ))
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Why QEMU ended by itself, if it did within a moment: what it said, or the signal that ended
    /// it. An honest end of the VM, such as a kernel's panic, has no such reason.
    pub fn own_failure(&mut self) -> Option<String> {
        let deadline = Instant::now() + Duration::from_millis(300);
        let status = loop {
            match self.child.try_wait() {
                Ok(Some(status)) => break status,
                _ if Instant::now() > deadline => return None,
                _ => sleep(Duration::from_millis(5)),
            }
        };
        if let Some(signal) = status.signal() {
            return Some(describe_signal(signal));
        }
        let mut said = String::new();
        if let Some(errors) = self.errors.take() {
            // What can be read of it is enough for a report.
            let _ = errors.take(4096).read_to_string(&mut said);
        }
        // Asked to end by somebody, QEMU ends as if the VM had been switched off.
        let was_ended = said.contains(ENDED_BY_SIGNAL);
        (was_ended || !status.success()).then(|| said.trim().to_owned())
    }

    /// Waits until QEMU ends by itself.
    pub fn wait_for_exit(mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self
            .child
            .try_wait()
            .context("cannot wait for QEMU")?
            .is_none()
        {
            ensure!(
                Instant::now() < deadline,
                "the VM did not end within {} s",
                limit.as_secs()
            );
            self.look_at_clock();
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn look_at_clock(&mut self) {
        if let Some(usage) = &mut self.usage {
            usage.look_at_clock();
        }
    }

    fn kill(&mut self) {
        self.look_at_clock();
        // The group, because what was started may be a script around QEMU. All fail only when it
        // has ended already.
        let _ = killpg(pid_of(&self.child), Signal::SIGKILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for QemuProcess {
    fn drop(&mut self) {
        self.kill();
        if let Some(usage) = &self.usage {
            usage.write_line();
        }
    }
}

fn describe_signal(signal: i32) -> String {
    match signal {
        nix::libc::SIGSYS => BROKE_SANDBOX.to_owned(),
        // The kernel itself sends SIGKILL when there is no memory left.
        nix::libc::SIGHUP | nix::libc::SIGINT | nix::libc::SIGKILL | nix::libc::SIGTERM => {
            format!("{KILLED}, with signal {signal}")
        }
        _ => format!("it was ended by signal {signal}"),
    }
}

/// How the end by a signal is told that another process sent, or the kernel.
pub const KILLED: &str = "it was killed from outside";

/// What QEMU says before it does what a signal asks for.
pub const ENDED_BY_SIGNAL: &str = "terminating on signal";

/// How the end by SIGSYS is told.
pub const BROKE_SANDBOX: &str = "its seccomp sandbox forbids a system call that it made, and ended \
    it";

fn open_kernel(machine: &Machine) -> Result<File> {
    let kernel = &machine.kernel;
    File::open(kernel).with_context(|| format!("cannot open the kernel {}", kernel.display()))
}

fn cannot_start(machine: &Machine, error: &std::io::Error) -> Problem {
    Problem::machine(format!("cannot start {}: {error}", machine.qemu.display()))
        .help("cargo xtask doctor")
}

/// A file in memory that only its descriptor leads to.
fn memory_file(bytes: &[u8]) -> Result<OwnedFd> {
    let descriptor = memfd_create("initramfs", MFdFlags::MFD_CLOEXEC)
        .context("cannot create a file in memory")?;
    let mut file = File::from(descriptor);
    file.write_all(bytes)
        .context("cannot fill the initial file system")?;
    Ok(file.into())
}

/// The command line of QEMU, without the program itself.
fn qemu_command_line(machine: &Machine, accel: Accel, inherited: &Inherited) -> Vec<OsString> {
    let mut arguments = memory_of_guest(machine, inherited.start);
    arguments.extend(hardware(machine, accel, inherited));
    if machine.sandbox {
        arguments.extend(["-sandbox", confinement::SANDBOX].map(OsString::from));
    }
    let mut add = |option: &str, value: &OsStr| arguments.extend([option.into(), value.to_owned()]);
    match inherited.start {
        Start::Boot {
            kernel, initramfs, ..
        } => {
            add("-kernel", path_of_descriptor(kernel).as_ref());
            add("-initrd", path_of_descriptor(initramfs).as_ref());
            add("-append", kernel_parameters(machine, accel).as_ref());
        }
        // The kernel is in the snapshot. The monitor says where that is.
        Start::Snapshot(_) => add("-incoming", "defer".as_ref()),
    }
    arguments
}

/// Before all other memory: when QEMU 10.0 saves an emulated guest, it takes offsets in a memory
/// for addresses, which they are in the first one only. With the programs' memory there it ended
/// by signal 6.
fn memory_of_guest(machine: &Machine, start: Start) -> Vec<OsString> {
    let (kind, file) = match start {
        Start::Boot { memory: None, .. } => ("ram", String::new()),
        Start::Boot {
            memory: Some(file), ..
        } => ("file", of_file(file, "on")),
        // What the guest writes stays in QEMU's own memory; what it only reads is never copied.
        Start::Snapshot(file) => ("file", of_file(file, "off")),
    };
    let size = machine.memory_mib;
    vec![
        "-object".into(),
        format!("memory-backend-{kind},id=memory,size={size}M{file}").into(),
    ]
}

fn of_file(file: RawFd, share: &str) -> String {
    format!(",share={share},mem-path={}", path_of_descriptor(file))
}

fn path_of_descriptor(descriptor: RawFd) -> String {
    format!("/proc/self/fd/{descriptor}")
}

/// What must be the same when a guest is saved and when it is resumed.
fn hardware(machine: &Machine, accel: Accel, inherited: &Inherited) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |option: &str, value: &str| arguments.extend([option.into(), value.into()]);
    let board = Board::of_architecture(machine.architecture);
    add(
        "-machine",
        &format!("{},memory-backend=memory", board.model),
    );
    add("-accel", accel.qemu_argument());
    if machine.clock == VmClock::Instructions {
        add(
            "-icount",
            &format!("shift={}", NANOSECONDS.trailing_zeros()),
        );
    }
    add("-cpu", &board::cpu_model(machine, accel));
    // A clock of instructions stands still while one CPU waits for another that is being started:
    // Linux 5.10 and 6.1 never got two of them going.
    add(
        "-smp",
        if machine.clock == VmClock::Instructions {
            "1"
        } else {
            "2"
        },
    );
    add("-m", &format!("{}M", machine.memory_mib));
    add(
        "-chardev",
        &format!("socket,id=console,fd={}", inherited.console),
    );
    add("-serial", "chardev:console");
    add(
        "-chardev",
        &format!("socket,id=plans,fd={}", inherited.plans),
    );
    let [option, plans] = board.plans;
    add(option, plans);
    add(
        "-chardev",
        &format!("socket,id=monitor,fd={}", inherited.monitor),
    );
    add("-mon", "chardev=monitor,mode=control");
    if let Some(programs) = inherited.programs {
        let size = SharedMemory::SIZE;
        let file = of_file(programs, inherited.start.share_of_programs());
        add(
            "-object",
            &format!("memory-backend-file,id=programs,size={size}{file}"),
        );
        // Only the master of such a memory can be saved.
        add("-device", "ivshmem-plain,memdev=programs,master=on");
    }
    // A guest that was stopped to be saved is to run when it is resumed.
    add("-global", "migration.store-global-state=off");
    // -nographic would let the firmware clear the user's terminal.
    add("-display", "none");
    arguments.extend(["-no-reboot", "-nodefaults", "-no-user-config"].map(OsString::from));
    arguments
}

fn kernel_parameters(machine: &Machine, accel: Accel) -> String {
    let board = Board::of_architecture(machine.architecture);
    let more = match accel {
        Accel::Tcg => board::parameters_of_emulation(machine),
        Accel::Kvm => None,
    };
    let of_board = board.kernel_parameters.iter().copied();
    of_board
        .chain(KERNEL_PARAMETERS)
        .chain(more)
        .collect::<Vec<_>>()
        .join(" ")
}

/// All of the command line that a snapshot depends on; the numbers of descriptors are no part of
/// it.
pub fn fingerprint_command_line(machine: &Machine, accel: Accel) -> String {
    let none = Inherited {
        console: 0,
        plans: 0,
        monitor: 0,
        programs: Some(0),
        start: Start::Snapshot(0),
    };
    format!(
        "{:?} {:?}",
        hardware(machine, accel, &none),
        kernel_parameters(machine, accel)
    )
}

#[cfg(test)]
mod tests {
    use kernel::Architecture;

    use super::*;
    use crate::Cmpxchg16b;

    fn no_init(_: Architecture) -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn machine(clock: VmClock, cmpxchg16b: Cmpxchg16b) -> Machine {
        Machine {
            architecture: Architecture::Amd64,
            qemu: "qemu".into(),
            kernel: "kernels/6.12/vmlinux".into(),
            modules: None,
            init: no_init,
            state: "cache".into(),
            memory_mib: 256,
            clock,
            cmpxchg16b,
            sandbox: true,
        }
    }

    const BOOT: Start = Start::Boot {
        kernel: 9,
        initramfs: 7,
        memory: None,
    };

    fn shown(accel: Accel, start: Start) -> String {
        shown_with(VmClock::Host, accel, start)
    }

    fn shown_with(clock: VmClock, accel: Accel, start: Start) -> String {
        shown_for(&machine(clock, Cmpxchg16b::Replaced), accel, start)
    }

    fn shown_for(machine: &Machine, accel: Accel, start: Start) -> String {
        let inherited = Inherited {
            console: 3,
            plans: 4,
            monitor: 5,
            programs: Some(6),
            start,
        };
        let arguments = qemu_command_line(machine, accel, &inherited);
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        arguments.join("\n")
    }

    #[test]
    fn command_line_when_emulated() {
        insta::assert_snapshot!(shown(Accel::Tcg, BOOT));
    }

    #[test]
    fn command_line_of_arm64() {
        let machine = Machine {
            architecture: Architecture::Arm64,
            ..machine(VmClock::Host, Cmpxchg16b::Replaced)
        };
        insta::assert_snapshot!(shown_for(&machine, Accel::Tcg, BOOT));
    }

    #[test]
    fn a_resume_changes_the_memory_and_the_origin_and_nothing_else() {
        let to_save = Start::Boot {
            kernel: 9,
            initramfs: 7,
            memory: Some(8),
        };
        let (boot, resume) = (
            shown(Accel::Tcg, to_save),
            shown(Accel::Tcg, Start::Snapshot(8)),
        );
        let hardware = boot.split("\n-kernel").next().unwrap();
        let hardware = hardware.replace("share=on", "share=off");
        assert_eq!(resume, format!("{hardware}\n-incoming\ndefer"));
    }

    #[test]
    fn a_clock_of_instructions_is_4_ns_each() {
        assert!(shown_with(VmClock::Instructions, Accel::Tcg, BOOT).contains("-icount\nshift=2\n"));
        assert!(!shown(Accel::Tcg, BOOT).contains("-icount"));
    }

    #[test]
    fn a_snapshot_depends_on_the_cpu_and_the_kernels_parameters() {
        let all = [
            Cmpxchg16b::Emulated,
            Cmpxchg16b::Hidden,
            Cmpxchg16b::Replaced,
        ];
        let [emulated, hidden, replaced] = all.map(|cmpxchg16b| {
            fingerprint_command_line(&machine(VmClock::Host, cmpxchg16b), Accel::Tcg)
        });
        assert!(emulated != hidden && hidden != replaced && replaced != emulated);
    }

    #[test]
    fn kvm_changes_the_accelerator_and_the_cpu_and_needs_no_replacement() {
        let emulated = shown(Accel::Tcg, BOOT);
        let differing: Vec<_> = emulated
            .lines()
            .zip(shown(Accel::Kvm, BOOT).lines())
            .filter(|(a, b)| a != b)
            .map(|(_, b)| b.to_owned())
            .collect();
        let parameters = kernel_parameters(&machine(VmClock::Host, Cmpxchg16b::Hidden), Accel::Kvm);
        assert_eq!(differing, ["kvm", "host", &parameters]);
    }
}
