//! Ctrl-C and its relatives: they end a lesson's loop, so that it can detach and say what it saw.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

/// Set from the first signal on. A signal also ends a wait (`poll`, a ring buffer's `poll`) with
/// EINTR.
#[derive(Clone, Debug)]
pub struct Stop {
    is_set: Arc<AtomicBool>,
    first_seen: Arc<OnceLock<Instant>>,
}

impl Stop {
    /// From here on SIGHUP, SIGINT and SIGTERM no longer end the process: whoever calls this must
    /// look at `is_set`, or end soon anyway.
    pub fn catch() -> Result<Self> {
        let stop = Self {
            is_set: Arc::new(AtomicBool::new(false)),
            first_seen: Arc::new(OnceLock::new()),
        };
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            flag::register(signal, Arc::clone(&stop.is_set)).context("cannot catch signals")?;
        }
        Ok(stop)
    }

    pub fn is_set(&self) -> bool {
        self.is_set.load(Ordering::Relaxed)
    }

    /// How long ago this first returned something: about as long as since the first signal.
    pub fn time_since(&self) -> Option<Duration> {
        if !self.is_set() {
            return None;
        }
        Some(self.first_seen.get_or_init(Instant::now).elapsed())
    }

    /// As a signal does.
    #[cfg(test)]
    pub(crate) fn set(&self) {
        self.is_set.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use signal_hook::low_level::raise;

    use super::*;

    // Without `catch` each of these signals would end the test's process.
    #[test]
    fn every_signal_sets_it_and_none_kills() {
        for signal in [SIGHUP, SIGINT, SIGTERM] {
            let stop = Stop::catch().expect("signals can be caught");
            assert!(!stop.is_set());
            assert_eq!(stop.time_since(), None);
            for _ in 0..2 {
                raise(signal).expect("a process can signal itself");
                assert!(stop.is_set(), "signal {signal}");
                assert!(
                    stop.time_since()
                        .is_some_and(|time| time < Duration::from_secs(60))
                );
            }
        }
    }
}
