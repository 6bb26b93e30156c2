//! What must be true of an answer.

use std::fmt;

use anyhow::Result;
use plan::judge::Said;

/// A statement about an answer, and how it is found out.
pub struct Check<A> {
    /// A statement about the program, such as "counts every exec".
    pub says: &'static str,
    /// An error says what was seen, and what should have been.
    pub holds: fn(&mut A) -> Result<()>,
}

/// Something that this machine could not do, whatever the answer is.
#[derive(Debug)]
pub struct MachineFault;

impl fmt::Display for MachineFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("this machine cannot run the answer")
    }
}

/// Receives what the judge says.
pub type Say<'a> = &'a mut dyn FnMut(&Said) -> Result<()>;

/// Runs the checks up to the first that does not pass: what comes after it would only repeat it.
pub fn run_checks<A>(
    checks: &[Check<A>],
    answer: &mut A,
    run: fn(&Check<A>, &mut A, Say<'_>) -> Result<()>,
    say: Say<'_>,
) -> Result<()> {
    for check in checks {
        match run(check, answer, say) {
            Ok(()) => say(&Said::Passed)?,
            Err(error) if error.is::<MachineFault>() => return Err(error),
            Err(error) => return say(&failed_check(&error)),
        }
    }
    Ok(())
}

pub fn failed_check(error: &anyhow::Error) -> Said {
    Said::Failed {
        why: format!("{error:#}"),
    }
}

/// The names of all checks: the first ones, and the exercise's own.
pub fn check_names<A>(first: &[&str], checks: &[Check<A>]) -> Vec<String> {
    let own = checks.iter().map(|check| check.says);
    let all = first.iter().copied().chain(own);
    all.map(str::to_owned).collect()
}
