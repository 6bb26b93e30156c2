//! What a judge is made of.

#[cfg(feature = "kernel")]
use anyhow::Context as _;
use anyhow::Result;
use plan::judge::Said;

use crate::Cli;
use crate::command::Command;
#[cfg(feature = "kernel")]
pub use crate::kernel::{Extent, Global, Kernel};

pub struct Exercise {
    /// Such as `03/count-by-comm`.
    pub name: &'static str,
    pub judge: Judge,
}

pub enum Judge {
    /// The answer is an object file for the kernel.
    #[cfg(feature = "kernel")]
    Kernel(Kernel),
    /// The answer is a program for the learner's own machine.
    Here(&'static [Check<Command>]),
}

/// What must be true of an answer.
pub struct Check<A> {
    /// A statement about the program, such as "counts every exec".
    pub says: &'static str,
    /// An error says what was seen, and what should have been.
    pub holds: fn(&mut A) -> Result<()>,
}

/// Receives what the judge says.
pub type Say<'a> = &'a mut dyn FnMut(&Said) -> Result<()>;

impl Exercise {
    pub fn judge(&self, cli: &Cli, say: Say<'_>) -> Result<()> {
        match &self.judge {
            Judge::Here(checks) => {
                say(&Said::Checks(names(&[], checks)))?;
                each(checks, &mut Command::new(&cli.answer), say)
            }
            #[cfg(feature = "kernel")]
            Judge::Kernel(kernel) => {
                let library = cli
                    .with
                    .context("--with says which library loads the answer: aya or libbpf")?;
                let extent = if cli.fit_only {
                    Extent::Fit
                } else {
                    Extent::All
                };
                kernel.judge(&cli.answer, library, extent, say)
            }
        }
    }
}

/// Runs the checks up to the first that does not pass: what comes after it would only repeat it.
pub fn each<A>(checks: &[Check<A>], answer: &mut A, say: Say<'_>) -> Result<()> {
    for check in checks {
        match (check.holds)(answer) {
            Ok(()) => say(&Said::Passed)?,
            Err(error) => return say(&failed(&error)),
        }
    }
    Ok(())
}

pub fn failed(error: &anyhow::Error) -> Said {
    Said::Failed {
        why: format!("{error:#}"),
    }
}

pub fn names<A>(first: &[&str], checks: &[Check<A>]) -> Vec<String> {
    let own = checks.iter().map(|check| check.says);
    first
        .iter()
        .copied()
        .chain(own)
        .map(str::to_owned)
        .collect()
}
