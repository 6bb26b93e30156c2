//! What VMs cost, a line for each that ended, in the file that a variable names: that is how
//! `cargo xtask test` knows, whichever program started them.

use std::ffi::OsString;
use std::fs::File;
use std::io::Write as _;
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_getcpuclockid, clock_gettime};
use nix::unistd::Pid;

/// Names the file.
pub const VM_USAGE: &str = "XTASK_VM_USAGE";

/// A VM that runs, and what it has cost so far.
pub struct VmUsage {
    file: OsString,
    how: &'static str,
    begin: Instant,
    clock: ClockId,
    cpu_time: Duration,
}

impl VmUsage {
    /// `None` if nobody asks, or if the process is gone.
    pub fn start_counting(process: u32, how: &'static str) -> Option<Self> {
        let file = std::env::var_os(VM_USAGE)?;
        let process = Pid::from_raw(i32::try_from(process).ok()?);
        Some(Self {
            file,
            how,
            begin: Instant::now(),
            clock: clock_getcpuclockid(process).ok()?,
            cpu_time: Duration::ZERO,
        })
    }

    /// Reads the clock: a process that has ended has none.
    pub fn look_at_clock(&mut self) {
        if let Ok(time) = clock_gettime(self.clock) {
            self.cpu_time = time.into();
        }
    }

    /// One write of a whole line, since several programs write to the file. What cannot be written
    /// is missing from a table of figures; no VM fails by it.
    pub fn write_line(&self) {
        let line = format!(
            "{} {:.3} {:.3}\n",
            self.how,
            self.begin.elapsed().as_secs_f64(),
            self.cpu_time.as_secs_f64()
        );
        if let Ok(mut file) = File::options().append(true).open(&self.file) {
            let _ = file.write_all(line.as_bytes());
        }
    }
}
