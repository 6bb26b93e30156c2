//! What a judge is made of.

use std::path::Path;

use anyhow::Result;
use plan::judge::{ACCEPTED, ATTACHED, Said};

use crate::answer::{Answer, Opened};
use crate::command::Command;
use crate::hook::Hook;

pub struct Exercise {
    /// Such as `03/count-by-comm`.
    pub name: &'static str,
    pub judge: Judge,
}

pub enum Judge {
    /// The answer is an object file for the kernel.
    Kernel(Kernel),
    /// The answer is a program for the learner's own machine.
    Here(&'static [Check<Command>]),
}

pub struct Kernel {
    /// Every program that the answer must have, and where it is attached. They are loaded and attached in this order.
    pub programs: &'static [(&'static str, Hook)],
    /// Values for the answer's global variables, which are set before it is loaded.
    pub globals: Option<fn() -> Result<Vec<Global>>>,
    pub checks: &'static [Check<Answer>],
}

pub struct Global {
    pub name: &'static str,
    pub bytes: Vec<u8>,
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
    pub fn judge(&self, answer: &Path, say: Say<'_>) -> Result<()> {
        match &self.judge {
            Judge::Here(checks) => {
                say(&Said::Checks(names(&[], checks)))?;
                each(checks, &mut Command::new(answer), say)
            }
            Judge::Kernel(kernel) => kernel.judge(answer, say),
        }
    }
}

impl Kernel {
    fn judge(&self, path: &Path, say: Say<'_>) -> Result<()> {
        say(&Said::Checks(names(&[ACCEPTED, ATTACHED], self.checks)))?;
        let globals = self.globals.map_or_else(|| Ok(Vec::new()), |globals| globals())?;
        let mut opened = match Opened::open(path, self.programs, globals) {
            Ok(opened) => opened,
            Err(error) => return say(&failed(&error)),
        };
        if let Err(rejected) = opened.load() {
            return say(&rejected);
        }
        say(&Said::Passed)?;
        let mut answer = match opened.attach() {
            Ok(answer) => answer,
            Err(error) => return say(&failed(&error)),
        };
        say(&Said::Passed)?;
        each(self.checks, &mut answer, say)
    }
}

/// Runs the checks up to the first that does not pass: what comes after it would only repeat it.
fn each<A>(checks: &[Check<A>], answer: &mut A, say: Say<'_>) -> Result<()> {
    for check in checks {
        match (check.holds)(answer) {
            Ok(()) => say(&Said::Passed)?,
            Err(error) => return say(&failed(&error)),
        }
    }
    Ok(())
}

fn failed(error: &anyhow::Error) -> Said {
    Said::Failed { why: format!("{error:#}") }
}

fn names<A>(first: &[&str], checks: &[Check<A>]) -> Vec<String> {
    let own = checks.iter().map(|check| check.says);
    first.iter().copied().chain(own).map(str::to_owned).collect()
}
