//! A limit of time for each load. The verifier looks for signals while it follows a program, and
//! gives up with EAGAIN when there is one. libbpf and aya may try again then: the signal comes
//! again too.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::{Context as _, Result};
use nix::sys::signal::{SigEvent, SigevNotify, Signal};
use nix::sys::time::TimeSpec;
use nix::sys::timer::{Expiration, Timer, TimerSetTimeFlags};
use nix::time::ClockId;

/// Between the first signal and the next ones.
const AGAIN: Duration = Duration::from_millis(20);

pub struct TimeLimit {
    timer: Timer,
    expired: Arc<AtomicBool>,
    seconds: u64,
}

impl TimeLimit {
    pub fn create(seconds: u64) -> Result<Self> {
        let expired = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(Signal::SIGALRM as i32, Arc::clone(&expired))
            .context("cannot take signals of a timer")?;
        let event = SigEvent::new(SigevNotify::SigevSignal {
            signal: Signal::SIGALRM,
            si_value: 0,
        });
        let timer = Timer::new(ClockId::CLOCK_MONOTONIC, event).context("cannot make a timer")?;
        Ok(Self {
            timer,
            expired,
            seconds,
        })
    }

    /// `times`: so many times the limit.
    pub fn start(&mut self, times: u64) -> Result<()> {
        self.expired.store(false, Ordering::Relaxed);
        self.set(
            Duration::from_secs(self.seconds.saturating_mul(times)),
            AGAIN,
        )
    }

    /// Whether the time was up before this.
    pub fn stop(&mut self) -> Result<bool> {
        self.set(Duration::ZERO, Duration::ZERO)?;
        Ok(self.expired.load(Ordering::Relaxed))
    }

    pub fn seconds(&self) -> u64 {
        self.seconds
    }

    fn set(&mut self, first: Duration, next: Duration) -> Result<()> {
        let expiration =
            Expiration::IntervalDelayed(TimeSpec::from_duration(first), TimeSpec::from(next));
        self.timer
            .set(expiration, TimerSetTimeFlags::empty())
            .context("cannot set the timer")
    }
}
