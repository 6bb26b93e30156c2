//! A program that works for the user while xtask waits: cargo, or a lesson on this machine's own
//! kernel.
//!
//! It has its own process group, so that a signal reaches all of it, whether it came from the
//! terminal or was sent to xtask alone; and it ends when xtask is killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use wait4::Wait4 as _;

use crate::child::{end_with_us, pid_of};
use crate::interrupt::{self, Listening};

pub struct Foreground {
    pub child: Child,
    /// The signal that was passed on, or 0.
    signal: Arc<AtomicI32>,
    _listening: Listening,
}

/// How a program ended, and what it used.
pub struct Ended {
    pub status: ExitStatus,
    /// By which signal the user wanted it to end.
    pub signal: Option<i32>,
    /// With all the programs that it waited for.
    pub cpu_time: Duration,
    /// The largest resident set that it, or one of those, ever had.
    pub peak_bytes: u64,
}

impl Foreground {
    pub fn start_command(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).process_group(0);
        end_with_us(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let group = pid_of(&child);
        let signal = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&signal);
        let listening = interrupt::listen_to_signals(move |number| {
            seen.store(number, Ordering::Relaxed);
            if let Ok(signal) = Signal::try_from(number) {
                // It may have ended a moment ago.
                let _ = killpg(group, signal);
            }
        });
        Ok(Self {
            child,
            signal,
            _listening: listening,
        })
    }

    /// Waits for its end, and reads what it used.
    pub fn wait_with_usage(self) -> Result<Ended> {
        let used = self.child.wait4().context("cannot wait for a program")?;
        let signal = self.signal.load(Ordering::Relaxed);
        Ok(Ended {
            status: used.status,
            signal: (signal != 0).then_some(signal),
            cpu_time: used.rusage.utime + used.rusage.stime,
            peak_bytes: used.rusage.maxrss,
        })
    }

    /// Waits for its end. Says also by which signal the user wanted it to end, if he did.
    pub fn wait_for_exit(self) -> Result<(ExitStatus, Option<i32>)> {
        let ended = self.wait_with_usage()?;
        Ok((ended.status, ended.signal))
    }
}
