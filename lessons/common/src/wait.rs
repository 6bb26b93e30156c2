//! Waiting for something that does not notify anyone.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// Nothing in a demo takes that long, even in an emulated VM; this is for a machine that is very
/// busy.
const LIMIT: Duration = Duration::from_secs(10);

/// Looks again and again until `condition` is true. `what` is what happens then, as in "the child
/// opens the file".
pub fn wait_until(what: &str, mut condition: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    while !condition()? {
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
        wait_until("the third look", third).expect("it comes");
        assert_eq!(looks, 3);
        let error = wait_until("nothing", || bail!("it broke")).expect_err("it fails");
        assert_eq!(error.to_string(), "it broke");
    }
}
