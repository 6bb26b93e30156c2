//! Waiting for something that does not notify anyone.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};

use crate::Stop;

/// Nothing in a demo takes that long, even in an emulated VM; this is for a machine that is very
/// busy.
const LIMIT: Duration = Duration::from_secs(30);

/// Looks again and again until `condition` is true. `what` is what happens then, as in "the child
/// opens the file". An error after 30 seconds, and when `stop` is set first; a process that signals
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

/// Waits until the last line of a file begins so and is whole. Returns all that is in the file.
pub fn wait_for_last_line(path: &str, begin: &str, stop: &Stop) -> Result<String> {
    let mut text = String::new();
    let what = format!("the last line of {path} begins with '{begin}'");
    wait_until(&what, Some(stop), || {
        text = fs::read_to_string(path).with_context(|| format!("cannot read {path}"))?;
        let last = text.lines().last().unwrap_or_default();
        Ok(last.starts_with(begin) && text.ends_with('\n'))
    })?;
    Ok(text)
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

    #[test]
    fn a_last_line_must_be_whole() {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let path = directory.path().join("file");
        let stop = Stop::catch().expect("signals can be caught");
        let read = |text: &str| {
            fs::write(&path, text).expect("the file can be written");
            // Whatever is not there at the first look never comes.
            stop.set();
            wait_for_last_line(path.to_str().expect("it is text"), "ended", &stop)
        };
        assert_eq!(
            read("one\nended 0\n").expect("it is there"),
            "one\nended 0\n"
        );
        for text in ["", "one\nended 0", "ended 0\none\n"] {
            read(text).expect_err(text);
        }
    }
}
