//! A program that works for the user while xtask waits: cargo, or a lesson on this machine's own
//! kernel.
//!
//! It has its own process group, so that a signal reaches all of it, whether it came from the
//! terminal or was sent to xtask alone; and it ends when xtask is killed.

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicI32, Ordering};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group};

use crate::child::end_with_us;
use crate::interrupt::{self, Listening};

pub struct Foreground {
    pub child: Child,
    /// The signal that was passed on, or 0.
    signal: Arc<AtomicI32>,
    _listening: Listening,
}

impl Foreground {
    pub fn start_command(mut command: Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        command.stdin(Stdio::null()).process_group(0);
        end_with_us(&mut command);
        let child = command
            .spawn()
            .with_context(|| format!("cannot start {program}"))?;
        let group = Pid::from_child(&child);
        let signal = Arc::new(AtomicI32::new(0));
        let seen = Arc::clone(&signal);
        let listening = interrupt::listen_to_signals(move |number| {
            seen.store(number, Ordering::Relaxed);
            if let Some(signal) = Signal::from_named_raw(number) {
                // It may have ended a moment ago.
                let _ = kill_process_group(group, signal);
            }
        });
        Ok(Self {
            child,
            signal,
            _listening: listening,
        })
    }

    /// Waits for its end. Says also by which signal the user wanted it to end, if he did.
    pub fn wait_for_exit(mut self) -> Result<(ExitStatus, Option<i32>)> {
        let status = self.child.wait().context("cannot wait for a program")?;
        let signal = self.signal.load(Ordering::Relaxed);
        Ok((status, (signal != 0).then_some(signal)))
    }
}
