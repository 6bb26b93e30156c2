//! The QEMU process: its command line, its descriptors, and its end.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use problem::Problem;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

use crate::accel::Accel;
use crate::machine::{Machine, VmClock};
use crate::shared_memory::SharedMemory;

/// Kernel parameters, and why each is there.
const KERNEL_PARAMETERS: [&str; 8] = [
    "console=ttyS0",
    // Only what matters reaches the console; it is shown when something goes wrong.
    "quiet",
    // A panic restarts at once, which ends QEMU.
    "panic=-1",
    // BPF must be named to be an active LSM.
    "lsm=bpf",
    // Without it two emulated CPUs fall back to a slow clock, and bpf_ktime_get_ns costs 15 times
    // as much.
    "tsc=reliable",
    "nokaslr",
    "cryptomgr.notests",
    // Attaching and detaching wait until no CPU can still run the old code. Asking the CPUs is
    // quicker than waiting for their next ticks: 0.15 s for a kprobe and a kretprobe.
    "rcupdate.rcu_expedited=1",
];

/// How long an instruction takes with [`VmClock::Instructions`], a power of two: near what
/// emulating it takes, so that a time limit means about what it says.
pub const NANOSECONDS: u64 = 4;

/// A running QEMU. Dropping it ends it.
pub struct QemuProcess {
    child: Child,
    errors: Option<ChildStderr>,
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
    /// A guest that was saved with the same command line.
    Snapshot(&'a File),
}

/// Descriptors that QEMU inherits, by their numbers.
struct Inherited {
    console: RawFd,
    plans: RawFd,
    monitor: RawFd,
    memory: Option<RawFd>,
    origin: RawFd,
}

impl Inherited {
    fn all(&self) -> impl Iterator<Item = RawFd> {
        [self.console, self.plans, self.monitor, self.origin]
            .into_iter()
            .chain(self.memory)
    }
}

impl QemuProcess {
    /// Starts QEMU. `memory` is what the guest sees as its shared memory.
    pub fn spawn_qemu(
        machine: &Machine,
        accel: Accel,
        origin: Origin<'_>,
        memory: Option<&SharedMemory>,
    ) -> Result<(Self, HostLines)> {
        let pair = || UnixStream::pair().context("cannot create a socket pair");
        let ((console, guest_console), (plans, guest_plans), (monitor, guest_monitor)) =
            (pair()?, pair()?, pair()?);
        let initramfs = match origin {
            Origin::Boot(bytes) => Some(memory_file(bytes)?),
            Origin::Snapshot(_) => None,
        };
        let inherited = Inherited {
            console: guest_console.as_raw_fd(),
            plans: guest_plans.as_raw_fd(),
            monitor: guest_monitor.as_raw_fd(),
            memory: memory.map(SharedMemory::as_raw_fd),
            origin: match (origin, &initramfs) {
                (Origin::Snapshot(file), _) => file.as_raw_fd(),
                (Origin::Boot(_), Some(file)) => file.as_raw_fd(),
                (Origin::Boot(_), None) => unreachable!("a boot has an initial file system"),
            },
        };

        let mut command = Command::new(&machine.qemu);
        command
            .args(qemu_command_line(machine, accel, origin, &inherited))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for xtask to handle.
            .process_group(0);
        // SAFETY: between fork and exec only system calls are made, on descriptors that stay open
        // until after the spawn; nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                for descriptor in inherited.all() {
                    fcntl_setfd(BorrowedFd::borrow_raw(descriptor), FdFlags::empty())?;
                }
                Ok(())
            });
        }
        let mut child = command
            .spawn()
            .map_err(|error| cannot_start(machine, &error))?;
        let errors = child.stderr.take();
        Ok((
            Self { child, errors },
            HostLines {
                console,
                plans,
                monitor,
            },
        ))
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
            return Some(format!("it was ended by signal {signal}"));
        }
        let mut said = String::new();
        if let Some(errors) = self.errors.take() {
            // What can be read of it is enough for a report.
            let _ = errors.take(4096).read_to_string(&mut said);
        }
        (!status.success()).then(|| said.trim().to_owned())
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
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn kill(&mut self) {
        // The group, because what was started may be a script around QEMU. All fail only when it
        // has ended already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for QemuProcess {
    fn drop(&mut self) {
        self.kill();
    }
}

fn cannot_start(machine: &Machine, error: &std::io::Error) -> Problem {
    Problem::machine(format!("cannot start {}: {error}", machine.qemu.display()))
        .help("cargo xtask doctor")
}

/// A file in memory that only its descriptor leads to.
fn memory_file(bytes: &[u8]) -> Result<OwnedFd> {
    let descriptor =
        memfd_create("initramfs", MemfdFlags::CLOEXEC).context("cannot create a file in memory")?;
    let mut file = File::from(descriptor);
    file.write_all(bytes)
        .context("cannot fill the initial file system")?;
    Ok(file.into())
}

/// The command line of QEMU, without the program itself.
fn qemu_command_line(
    machine: &Machine,
    accel: Accel,
    origin: Origin<'_>,
    inherited: &Inherited,
) -> Vec<OsString> {
    let mut arguments = hardware(machine, accel, inherited);
    let mut add = |option: &str, value: &OsStr| arguments.extend([option.into(), value.to_owned()]);
    match origin {
        Origin::Boot(_) => {
            add("-kernel", machine.kernel.as_os_str());
            add(
                "-initrd",
                format!("/proc/self/fd/{}", inherited.origin).as_ref(),
            );
            add("-append", kernel_parameters(machine, accel).as_ref());
        }
        // The kernel is in the snapshot.
        Origin::Snapshot(_) => add("-incoming", format!("fd:{}", inherited.origin).as_ref()),
    }
    arguments
}

/// What must be the same when a guest is saved and when it is resumed.
fn hardware(machine: &Machine, accel: Accel, inherited: &Inherited) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |option: &str, value: &str| arguments.extend([option.into(), value.into()]);
    // No floppy, no keyboard controller, no disks: each costs boot time.
    add(
        "-machine",
        "q35,i8042=off,sata=off,smbus=off,memory-backend=memory",
    );
    add("-accel", accel.qemu_argument());
    if machine.clock == VmClock::Instructions {
        add(
            "-icount",
            &format!("shift={}", NANOSECONDS.trailing_zeros()),
        );
    }
    add("-cpu", cpu(machine, accel));
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
    // Before all other memory: when QEMU 10.0 saves an emulated guest, it takes offsets in a memory
    // for addresses, which they are in the first one only. With the programs' memory there it ended
    // by signal 6.
    add(
        "-object",
        &format!("memory-backend-ram,id=memory,size={}M", machine.memory_mib),
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
    add("-serial", "chardev:plans");
    add(
        "-chardev",
        &format!("socket,id=monitor,fd={}", inherited.monitor),
    );
    add("-mon", "chardev=monitor,mode=control");
    if let Some(memory) = inherited.memory {
        let size = SharedMemory::SIZE;
        let path = format!("/proc/self/fd/{memory}");
        add(
            "-object",
            &format!("memory-backend-file,id=programs,size={size},share=on,mem-path={path}"),
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

fn cpu(machine: &Machine, accel: Accel) -> &'static str {
    match accel {
        Accel::Kvm => "host",
        Accel::Tcg => machine.cmpxchg16b.cpu_model(),
    }
}

fn kernel_parameters(machine: &Machine, accel: Accel) -> String {
    let more = machine
        .cmpxchg16b
        .kernel_parameters()
        .filter(|_| accel == Accel::Tcg);
    KERNEL_PARAMETERS
        .into_iter()
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
        memory: Some(0),
        origin: 0,
    };
    format!(
        "{:?} {:?}",
        hardware(machine, accel, &none),
        kernel_parameters(machine, accel)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cmpxchg16b;

    fn no_init() -> Result<Vec<u8>> {
        Ok(Vec::new())
    }

    fn machine(clock: VmClock, cmpxchg16b: Cmpxchg16b) -> Machine {
        Machine {
            qemu: "qemu".into(),
            kernel: "kernels/6.12/vmlinux".into(),
            modules: None,
            init: no_init,
            state: "cache".into(),
            memory_mib: 256,
            clock,
            cmpxchg16b,
        }
    }

    fn shown(accel: Accel, origin: Origin<'_>) -> String {
        shown_with(VmClock::Host, accel, origin)
    }

    fn shown_with(clock: VmClock, accel: Accel, origin: Origin<'_>) -> String {
        let machine = machine(clock, Cmpxchg16b::Replaced);
        let inherited = Inherited {
            console: 3,
            plans: 4,
            monitor: 5,
            memory: Some(6),
            origin: 7,
        };
        let arguments = qemu_command_line(&machine, accel, origin, &inherited);
        let arguments: Vec<_> = arguments
            .iter()
            .map(|argument| argument.to_string_lossy())
            .collect();
        arguments.join("\n")
    }

    #[test]
    fn command_line_when_emulated() {
        insta::assert_snapshot!(shown(Accel::Tcg, Origin::Boot(b"")));
    }

    #[test]
    fn a_resume_changes_the_origin_and_nothing_else() {
        let file = File::open("/dev/null").unwrap();
        let (boot, resume) = (
            shown(Accel::Tcg, Origin::Boot(b"")),
            shown(Accel::Tcg, Origin::Snapshot(&file)),
        );
        let hardware = boot.split("\n-kernel").next().unwrap();
        assert_eq!(resume, format!("{hardware}\n-incoming\nfd:7"));
    }

    #[test]
    fn a_clock_of_instructions_is_4_ns_each() {
        assert!(
            shown_with(VmClock::Instructions, Accel::Tcg, Origin::Boot(b""))
                .contains("-icount\nshift=2\n")
        );
        assert!(!shown(Accel::Tcg, Origin::Boot(b"")).contains("-icount"));
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
        let boot = Origin::Boot(b"");
        let emulated = shown(Accel::Tcg, boot);
        let differing: Vec<_> = emulated
            .lines()
            .zip(shown(Accel::Kvm, boot).lines())
            .filter(|(a, b)| a != b)
            .map(|(_, b)| b.to_owned())
            .collect();
        let parameters = KERNEL_PARAMETERS.join(" ");
        assert_eq!(differing, ["kvm", "host", &parameters]);
    }
}
