//! A command and all that descend from it: started, watched until the last of them has ended, and
//! ended with us.

use std::error::Error;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::process::{CommandExt as _, ExitStatusExt as _};
use std::process::{self, Command, ExitStatus};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use nix::errno::Errno;
use nix::libc;
use nix::sys::prctl::{set_child_subreaper, set_pdeathsig};
use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, getppid};
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::text;

/// From the request to end until the end by force.
const GRACE: Duration = Duration::from_secs(2);

/// From one look at the processes to the next.
const LOOK: Duration = Duration::from_millis(10);

/// For [`reap_child`].
const ANY_CHILD: i32 = -1;

pub struct ProcessTree {
    /// The command's process id.
    pub pid: u32,
    status: Option<ExitStatus>,
    /// Of those that descend from the command: how many ended with an exit status other than 0.
    failures: usize,
    asked_to_end: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl ProcessTree {
    /// A command that cannot be started is a [`NotStarted`] at the end of the error's chain.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let asked_to_end = catch_signals().context("cannot catch signals")?;
        // Processes that lose their parent become our children: we are told when they end.
        set_child_subreaper(true).context("cannot adopt orphans")?;
        let parent = Pid::this();
        // SAFETY: between fork and exec there are two system calls, and nothing is allocated.
        unsafe { command.pre_exec(move || die_with(parent)) };
        let child = command.spawn().map_err(|error| NotStarted {
            command: text::printable(command.get_program().as_encoded_bytes()),
            error,
        })?;
        Ok(Self {
            pid: child.id(),
            status: None,
            failures: 0,
            asked_to_end,
            deadline: None,
        })
    }

    /// Notes which processes have ended. False when the command and all that descend from it have.
    pub fn is_running(&mut self) -> Result<bool> {
        if self.asked_to_end.load(Ordering::Relaxed) {
            self.ask_to_end();
        }
        loop {
            match reap_child(ANY_CHILD) {
                Ok(None) => return Ok(true),
                Ok(Some((pid, status))) if pid == self.pid => self.status = Some(status),
                Ok(Some((_, status))) => {
                    if status.code().is_some_and(|code| code != 0) {
                        self.failures += 1;
                    }
                }
                Err(Errno::ECHILD) => return Ok(false),
                Err(Errno::EINTR) => {}
                Err(error) => return Err(error).context("cannot wait for the command"),
            }
        }
    }

    /// Waits until the command and all that descend from it have ended. How many of the latter
    /// ended with an exit status other than 0, as far as they became our children.
    pub fn wait(&mut self) -> Result<usize> {
        while self.is_running()? {
            thread::sleep(LOOK);
        }
        Ok(self.failures)
    }

    /// Waits until the command has ended, whatever became of what descends from it. An error if its
    /// exit status is not 0.
    pub fn expect_success(&mut self) -> Result<()> {
        while self.status.is_none() {
            if self.asked_to_end.load(Ordering::Relaxed) {
                self.ask_to_end();
            }
            let ended = reap_child(self.pid.cast_signed());
            match ended.context("cannot wait for the command")? {
                Some((_, status)) => self.status = Some(status),
                None => thread::sleep(LOOK),
            }
        }
        let code = self.exit_code();
        ensure!(code == 0, "the command's exit status is {code}");
        Ok(())
    }

    /// Kills the command, and not what descends from it.
    pub fn kill_command(&self) -> Result<()> {
        let pid = Pid::from_raw(self.pid.cast_signed());
        kill(pid, Signal::SIGKILL).context("cannot kill the command")
    }

    /// That of the command, as a shell tells it.
    pub fn exit_code(&self) -> u8 {
        let Some(status) = self.status else {
            return 1;
        };
        let code = match status.signal() {
            Some(signal) => 128 + signal,
            None => status.code().unwrap_or(1),
        };
        u8::try_from(code).unwrap_or(1)
    }

    fn ask_to_end(&mut self) {
        match self.deadline {
            None => {
                self.deadline = Some(Instant::now() + GRACE);
                signal_children(Signal::SIGTERM);
            }
            Some(deadline) if Instant::now() > deadline => signal_children(Signal::SIGKILL),
            Some(_) => {}
        }
    }
}

/// What ends the watching early ends the processes.
impl Drop for ProcessTree {
    fn drop(&mut self) {
        // The children of a killed child become ours, and are next.
        while let Ok(true) = self.is_running() {
            signal_children(Signal::SIGKILL);
            thread::sleep(Duration::from_millis(1));
        }
    }
}

// ANCHOR: die
/// The kernel kills the process when its parent dies. That is not inherited: what descends from the
/// process lives on.
fn die_with(parent: Pid) -> io::Result<()> {
    set_pdeathsig(Signal::SIGKILL)?;
    // The parent may have died before.
    if getppid() != parent {
        return Err(Errno::ESRCH.into());
    }
    Ok(())
}
// ANCHOR_END: die

/// Ctrl-C is the command's: the terminal sends it there as well, and we stay as long as the command
/// does. SIGHUP and SIGTERM ask the command to end. SIGCHLD ends a wait (`poll`) with EINTR.
fn catch_signals() -> io::Result<Arc<AtomicBool>> {
    let asked_to_end = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGCHLD] {
        flag::register(signal, Arc::default())?;
    }
    for signal in [SIGHUP, SIGTERM] {
        flag::register(signal, Arc::clone(&asked_to_end))?;
    }
    Ok(asked_to_end)
}

/// A child that has ended, and how; `None` while it runs, or all of them.
///
/// nix's `waitpid` fails with EINVAL for a child that a real-time signal killed, although the child
/// is reaped by then: its status would be lost.
fn reap_child(child: i32) -> nix::Result<Option<(u32, ExitStatus)>> {
    let mut status = 0;
    // SAFETY: the call writes to nothing but `status`.
    let pid = unsafe { libc::waitpid(child, &raw mut status, libc::WNOHANG) };
    match Errno::result(pid)? {
        0 => Ok(None),
        pid => Ok(Some((pid.cast_unsigned(), ExitStatus::from_raw(status)))),
    }
}

fn signal_children(signal: Signal) {
    let pid = process::id();
    let children = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"));
    for child in children.unwrap_or_default().split_whitespace() {
        if let Ok(child) = child.parse() {
            // It may have ended a moment ago.
            let _ = kill(Pid::from_raw(child), signal);
        }
    }
}

/// Why the command did not start.
#[derive(Debug)]
pub struct NotStarted {
    command: String,
    error: io::Error,
}

impl NotStarted {
    /// As a shell tells it.
    pub fn exit_code(&self) -> u8 {
        match self.error.kind() {
            ErrorKind::NotFound => 127,
            _ => 126,
        }
    }

    pub fn raw_os_error(&self) -> Option<i32> {
        self.error.raw_os_error()
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "cannot start {}: {}", self.command, self.error)?;
        match self.error.kind() {
            ErrorKind::NotFound => {
                f.write_str("\nhelp: type its path, or look whether it is in PATH")
            }
            ErrorKind::PermissionDenied => {
                f.write_str("\nhelp: look whether it is executable, and not in a denied directory")
            }
            _ => Ok(()),
        }
    }
}

impl Error for NotStarted {}
