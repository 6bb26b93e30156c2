//! Waiting for something that does not notify anyone.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::Stop;

/// Nothing in a demo takes that long, even in an emulated VM; this is for a machine that is very
/// busy.
const LIMIT: Duration = Duration::from_secs(10);

/// Looks again and again until `condition` is true. `what` is what happens then, as in "the child
/// opens the file". An error after 10 seconds, and when `stop` is set first; a process that signals
/// simply end has no `stop`.
pub fn wait_until(
    what: &str,
    stop: Option<&Stop>,
    mut condition: impl FnMut() -> Result<bool>,
) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !condition()? {
        ensure!(
            !stop.is_some_and(Stop::is_set),
            "a signal ended the wait for this: {what}"
        );
        ensure!(
            Instant::now() < deadline,
            "this did not happen in time: {what}"
        );
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn it_looks_until_it_is_true_or_fails() {
        let mut looks = 0;
        let third = || {
            looks += 1;
            Ok(looks == 3)
        };
        wait_until("the third look", None, third).expect("it comes");
        assert_eq!(looks, 3);
        let broken = || bail!("it broke");
        let error = wait_until("nothing", None, broken).expect_err("it fails");
        assert_eq!(error.to_string(), "it broke");
    }

    #[test]
    fn a_signal_ends_the_wait_at_once() {
        let stop = Stop::catch().expect("signals can be caught");
        let mut looks = 0;
        let signalled = || {
            looks += 1;
            stop.set();
            Ok(false)
        };
        let error = wait_until("peace", Some(&stop), signalled).expect_err("it is ended");
        assert_eq!(error.to_string(), "a signal ended the wait for this: peace");
        assert_eq!(looks, 1);
        // What is true already needs no wait.
        wait_until("nothing", Some(&stop), || Ok(true)).expect("it is true");
    }
}
