//! COMMAND: how it is started, and how its end and that of its descendants is noticed.

use std::error::Error;
use std::ffi::CString;
use std::fmt;
use std::fs;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use common::{NotReady, text};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, WaitStatus, getppid, kill_process, pidfd_open,
    set_child_subreaper, set_parent_process_death_signal, wait,
};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::policy::Policy;

/// What the new process says when nobody refused it the directory. No system call that it makes
/// ends with this.
const NOT_DENIED: Errno = Errno::NOTRECOVERABLE;

/// From the request to end until the end by force.
const GRACE: Duration = Duration::from_secs(2);

/// How long to sleep at most before looking for orphans and signals again.
const MOMENT: Timespec = Timespec {
    tv_sec: 0,
    tv_nsec: 100_000_000,
};

pub struct Running {
    pub pid: u32,
    /// Becomes readable when COMMAND ends.
    end: Option<OwnedFd>,
    status: Option<WaitStatus>,
    asked_to_end: Arc<AtomicBool>,
    deadline: Option<Instant>,
}

impl Running {
    // ANCHOR: start
    /// Forks a process, which the kernel side then covers, and lets it try the policy before it
    /// becomes COMMAND.
    pub fn start(policy: &Policy) -> Result<Self> {
        let asked_to_end = catch_signals()?;
        // Processes that lose their parent become our children: we are told when they end.
        set_child_subreaper(Some(rustix::process::getpid())).context("adopt orphans")?;
        let directory = CString::new(policy.directory.path.as_os_str().as_bytes())?;
        let (parent, audit) = (rustix::process::getpid(), policy.audit);
        let prepare = move || {
            // When lsm is killed the policy is gone; then COMMAND must not go on.
            set_parent_process_death_signal(Some(Signal::KILL))?;
            if getppid() != Some(parent) {
                return Err(Errno::SRCH.into());
            }
            match (
                rustix::fs::open(
                    &directory,
                    OFlags::DIRECTORY | OFlags::CLOEXEC,
                    Mode::empty(),
                ),
                audit,
            ) {
                (Err(Errno::PERM), false) | (Ok(_), true) => Ok(()),
                (Ok(_), false) => Err(NOT_DENIED.into()),
                (Err(error), _) => Err(error.into()),
            }
        };
        let mut command = Command::new(&policy.command);
        command.args(&policy.arguments);
        // SAFETY: between fork and exec there are four system calls, and nothing is allocated.
        unsafe { command.pre_exec(prepare) };
        let pid = command
            .spawn()
            .map_err(|error| not_started(policy, error))?
            .id();
        let end = Pid::from_raw(pid.cast_signed())
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        Ok(Self {
            pid,
            end,
            status: None,
            asked_to_end,
            deadline: None,
        })
    }
    // ANCHOR_END: start

    /// Until there are reports, COMMAND ends, or a moment has passed.
    pub fn wait(&self, reports: BorrowedFd<'_>) -> Result<()> {
        let mut wanted = vec![PollFd::from_borrowed_fd(reports, PollFlags::IN)];
        wanted.extend(self.end.as_ref().map(|end| PollFd::new(end, PollFlags::IN)));
        match poll(&mut wanted, Some(&MOMENT)) {
            // A signal ends the wait: goes_on looks at it.
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("wait for reports"),
        }
    }

    /// Notes who has ended; false when COMMAND and all its descendants have.
    pub fn goes_on(&mut self) -> Result<bool> {
        if self.asked_to_end.load(Ordering::Relaxed) {
            self.ask_to_end();
        }
        loop {
            match wait(WaitOptions::NOHANG) {
                Ok(Some((pid, status))) if pid.as_raw_pid().cast_unsigned() == self.pid => {
                    (self.status, self.end) = (Some(status), None);
                }
                Ok(Some(_)) => {}
                Ok(None) => return Ok(true),
                Err(Errno::CHILD) => return Ok(false),
                Err(error) => return Err(error).context("wait for COMMAND"),
            }
        }
    }

    /// As a shell tells it.
    pub fn exit_code(&self) -> u8 {
        let code = self.status.and_then(|status| {
            status
                .exit_status()
                .or_else(|| status.terminating_signal().map(|signal| 128 + signal))
        });
        code.and_then(|code| u8::try_from(code).ok()).unwrap_or(1)
    }

    fn ask_to_end(&mut self) {
        match self.deadline {
            None => {
                self.deadline = Some(Instant::now() + GRACE);
                signal_children(Signal::TERM);
            }
            Some(deadline) if Instant::now() > deadline => signal_children(Signal::KILL),
            Some(_) => {}
        }
    }
}

/// Whatever ends the policy early ends what it covers.
impl Drop for Running {
    fn drop(&mut self) {
        // The children of a killed child become ours, and are next.
        while let Ok(true) = self.goes_on() {
            signal_children(Signal::KILL);
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}

/// Ctrl-C is COMMAND's, to which the terminal sends it as well; the policy stays as long as COMMAND
/// does. The others ask COMMAND to end.
fn catch_signals() -> Result<Arc<AtomicBool>> {
    let asked = Arc::new(AtomicBool::new(false));
    flag::register(SIGINT, Arc::default()).context("catch signals")?;
    for signal in [SIGHUP, SIGTERM] {
        flag::register(signal, Arc::clone(&asked)).context("catch signals")?;
    }
    Ok(asked)
}

fn signal_children(signal: Signal) {
    let pid = process::id();
    let children =
        fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
    for child in children
        .split_whitespace()
        .filter_map(|pid| Pid::from_raw(pid.parse().ok()?))
    {
        // It may have ended a moment ago.
        let _ = kill_process(child, signal);
    }
}

fn not_started(policy: &Policy, error: io::Error) -> anyhow::Error {
    let directory = text::printable(policy.directory.path.as_os_str().as_bytes());
    if error.raw_os_error() == Some(NOT_DENIED.raw_os_error()) {
        let what = format!(
            "test the policy: its first process could open {directory}; COMMAND was not started"
        );
        return NotReady::new(what)
            .help("btrfs and overlayfs have other numbers inside the kernel: choose a directory elsewhere")
            .help("so have processes in a container: run it outside of the container")
            .into();
    }
    NotStarted {
        command: text::printable(policy.command.as_bytes()),
        error,
    }
    .into()
}

/// Why COMMAND did not start.
#[derive(Debug)]
pub struct NotStarted {
    command: String,
    error: io::Error,
}

impl NotStarted {
    /// As a shell tells it.
    pub fn code(&self) -> u8 {
        if self.error.kind() == io::ErrorKind::NotFound {
            127
        } else {
            126
        }
    }
}

impl fmt::Display for NotStarted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "start {}: {}", self.command, self.error)?;
        match self.error.kind() {
            io::ErrorKind::NotFound => {
                f.write_str("\nhelp: type its path, or see that it is in PATH")
            }
            io::ErrorKind::PermissionDenied => {
                f.write_str("\nhelp: see whether it lies in the directory, and is executable")
            }
            _ => Ok(()),
        }
    }
}

impl Error for NotStarted {}
