//! The time of day. The host knows it: a resumed guest believes in the time of its snapshot.

use std::time::Duration;

use anyhow::{Context, Result};
use nix::time::{ClockId, clock_gettime, clock_settime};

/// Less is no sign of a program: between the two readings the whole VM may have to wait for a core.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Sets the clock to the host's.
pub fn set_clock(now: Duration) -> Result<()> {
    clock_settime(ClockId::CLOCK_REALTIME, now.into()).context("cannot set the clock")
}

/// Since the boot.
pub fn read_uptime() -> Result<Duration> {
    time_of(ClockId::CLOCK_BOOTTIME)
}

/// How the clock stands to the one that nobody can set.
#[derive(Clone, Copy)]
pub struct ClockOffset {
    ahead: Duration,
}

impl ClockOffset {
    pub fn read_now() -> Result<Self> {
        let time = time_of(ClockId::CLOCK_REALTIME)?;
        let ahead = time.saturating_sub(time_of(ClockId::CLOCK_MONOTONIC)?);
        Ok(Self { ahead })
    }

    /// What a program did to it since, if it did.
    pub fn change_since(self, before: Self) -> Option<String> {
        let seconds = self.ahead.as_secs_f64() - before.ahead.as_secs_f64();
        (seconds.abs() > TOLERANCE.as_secs_f64())
            .then(|| format!("clock (moved by {seconds:.0} s)"))
    }
}

fn time_of(clock: ClockId) -> Result<Duration> {
    let time = clock_gettime(clock).context("cannot read a clock")?;
    Ok(time.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_set_clock_has_changed() {
        let before = ClockOffset::read_now().unwrap();
        std::thread::sleep(Duration::from_millis(20));
        assert_eq!(ClockOffset::read_now().unwrap().change_since(before), None);
        let later = ClockOffset {
            ahead: before.ahead + Duration::from_secs(3600),
        };
        assert_eq!(
            later.change_since(before).as_deref(),
            Some("clock (moved by 3600 s)")
        );
        assert_eq!(
            before.change_since(later).as_deref(),
            Some("clock (moved by -3600 s)")
        );
    }
}
