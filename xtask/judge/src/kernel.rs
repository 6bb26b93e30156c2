//! How a program for the kernel is judged.

use std::path::Path;

use anyhow::Result;
use plan::judge::{ACCEPTED, ATTACHED, Said};

use crate::answer::{Answer, Opened};
use crate::exercise::{Check, Say, each, failed, names};
use crate::hook::Hook;

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

impl Kernel {
    pub fn judge(&self, path: &Path, say: Say<'_>) -> Result<()> {
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
