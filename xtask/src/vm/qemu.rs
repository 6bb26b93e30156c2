//! The QEMU process: its command line, its descriptors, and its end.

use std::ffi::OsString;
use std::fs::File;
use std::io::{Read, Write};
use std::os::fd::{AsRawFd, BorrowedFd, OwnedFd, RawFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::{FdFlags, fcntl_setfd};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

use super::{Accel, Machine};
use crate::problem::Problem;

/// Kernel parameters, and why each is there.
const KERNEL_PARAMETERS: [&str; 7] = [
    "console=ttyS0",
    // Only what matters reaches the console; it is shown when something goes wrong.
    "quiet",
    // A panic restarts at once, which ends QEMU.
    "panic=-1",
    // BPF must be named to be an active LSM.
    "lsm=bpf",
    // Without it two emulated CPUs fall back to a slow clock, and bpf_ktime_get_ns costs 15 times as much.
    "tsc=reliable",
    "nokaslr",
    "cryptomgr.notests",
];

/// A running QEMU. Dropping it ends it.
pub struct Qemu {
    child: Child,
    errors: Option<ChildStderr>,
}

/// The host's ends of the two serial lines.
pub struct Lines {
    pub console: UnixStream,
    pub plans: UnixStream,
}

impl Qemu {
    pub fn spawn(machine: &Machine, accel: Accel, initramfs: &[u8]) -> Result<(Self, Lines)> {
        let (console, guest_console) = UnixStream::pair().context("cannot create a socket pair")?;
        let (plans, guest_plans) = UnixStream::pair().context("cannot create a socket pair")?;
        let initramfs = memory_file(initramfs)?;
        let inherited = [guest_console.as_raw_fd(), guest_plans.as_raw_fd(), initramfs.as_raw_fd()];

        let mut command = Command::new(&machine.qemu);
        command
            .args(arguments(machine, accel, inherited))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            // Ctrl-C on the terminal is for xtask to handle.
            .process_group(0);
        // SAFETY: between fork and exec only system calls are made, on descriptors that stay open until after the
        // spawn; nothing is allocated and no lock is taken.
        unsafe {
            command.pre_exec(move || {
                set_parent_process_death_signal(Some(Signal::KILL))?;
                for descriptor in inherited {
                    fcntl_setfd(BorrowedFd::borrow_raw(descriptor), FdFlags::empty())?;
                }
                Ok(())
            });
        }
        let mut child = command.spawn().map_err(|error| cannot_start(machine, &error))?;
        let errors = child.stderr.take();
        Ok((Self { child, errors }, Lines { console, plans }))
    }

    /// Why QEMU ended by itself, if it did within a moment: what it said, or the signal that ended it. An honest end
    /// of the VM, such as a kernel's panic, has no such reason.
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
    pub fn wait(mut self, limit: Duration) -> Result<()> {
        let deadline = Instant::now() + limit;
        while self.child.try_wait().context("cannot wait for QEMU")?.is_none() {
            ensure!(Instant::now() < deadline, "the VM did not end within {} s", limit.as_secs());
            sleep(Duration::from_millis(2));
        }
        Ok(())
    }

    fn kill(&mut self) {
        // The group, because what was started may be a script around QEMU. All fail only when it has ended already.
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Qemu {
    fn drop(&mut self) {
        self.kill();
    }
}

fn cannot_start(machine: &Machine, error: &std::io::Error) -> Problem {
    Problem::machine(format!("cannot start {}: {error}", machine.qemu.display())).help("cargo xtask doctor")
}

/// A file in memory that only its descriptor leads to.
fn memory_file(bytes: &[u8]) -> Result<OwnedFd> {
    let descriptor =
        memfd_create("initramfs", MemfdFlags::CLOEXEC).context("cannot create a file in memory")?;
    let mut file = File::from(descriptor);
    file.write_all(bytes).context("cannot fill the initial file system")?;
    Ok(file.into())
}

fn arguments(machine: &Machine, accel: Accel, [console, plans, initramfs]: [RawFd; 3]) -> Vec<OsString> {
    let mut arguments: Vec<OsString> = Vec::new();
    let mut add = |option: &str, value: &str| arguments.extend([option.into(), value.into()]);
    // No floppy, no keyboard controller, no disks: each costs boot time.
    add("-machine", "q35,i8042=off,sata=off,smbus=off");
    add("-accel", accel.argument());
    add("-cpu", accel.cpu());
    add("-smp", "2");
    add("-m", &format!("{}M", machine.memory_mib));
    add("-chardev", &format!("socket,id=console,fd={console}"));
    add("-serial", "chardev:console");
    add("-chardev", &format!("socket,id=plans,fd={plans}"));
    add("-serial", "chardev:plans");
    add("-append", &KERNEL_PARAMETERS.join(" "));
    add("-initrd", &format!("/proc/self/fd/{initramfs}"));
    // -nographic would let the firmware clear the user's terminal.
    add("-display", "none");
    arguments.extend(["-no-reboot", "-nodefaults", "-no-user-config", "-kernel"].map(OsString::from));
    arguments.push(machine.kernel.clone().into());
    arguments
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(accel: Accel) -> String {
        let machine = Machine { qemu: "qemu".into(), kernel: "kernels/6.12/vmlinux".into(), memory_mib: 256 };
        let arguments = arguments(&machine, accel, [3, 4, 5]);
        let arguments: Vec<_> = arguments.iter().map(|argument| argument.to_string_lossy()).collect();
        arguments.join("\n")
    }

    #[test]
    fn command_line_when_emulated() {
        insta::assert_snapshot!(shown(Accel::Tcg));
    }

    #[test]
    fn kvm_changes_the_accelerator_and_the_cpu_only() {
        let emulated = shown(Accel::Tcg);
        let differing: Vec<_> = emulated
            .lines()
            .zip(shown(Accel::Kvm).lines())
            .filter(|(a, b)| a != b)
            .map(|(_, b)| b.to_owned())
            .collect();
        assert_eq!(differing, ["kvm", "host"]);
    }
}
