//! How a program for the kernel is judged.

use std::path::Path;

use anyhow::Result;
use plan::judge::{ACCEPTED, ATTACHED, FITS, Said, can_load};

use crate::Library;
use crate::answer::Answer;
use crate::exercise::{Check, Say, each, failed, names};
use crate::fit;
use crate::hook::{Hook, Placed};
use crate::library::{Loaded, Refused};
use crate::map_spec::MapSpec;
use crate::object_file::ObjectFile;

pub struct Kernel {
    /// Every program that the answer must have, and where it is attached. They are attached in this
    /// order.
    pub programs: &'static [(&'static str, Hook)],
    /// Every map that the checks look into.
    pub maps: &'static [MapSpec],
    /// The answer's global variables that are set before it is loaded.
    pub globals: &'static [Global],
    pub checks: &'static [Check<Answer>],
}

/// A global variable of 32 bits.
pub struct Global {
    pub name: &'static str,
    pub value: fn() -> Result<u32>,
}

/// The bytes of a [`Global`].
pub const GLOBAL_SIZE: usize = 4;

/// How far to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    All,
    /// Up to the first check, which reads the object file and needs no kernel.
    Fit,
}

impl Kernel {
    pub fn judge(&self, path: &Path, library: Library, extent: Extent, say: Say<'_>) -> Result<()> {
        let loads = can_load(&library.to_string());
        say(&Said::Checks(names(
            &[FITS, &loads, ACCEPTED, ATTACHED],
            self.checks,
        )))?;
        let file = ObjectFile::read(path)?;
        let fitting = library.open(&file).and_then(|opened| {
            let programs = fit::check(self, library, &file, &*opened)?;
            Ok((opened, programs))
        });
        let (opened, programs) = match fitting {
            Ok(fitting) => fitting,
            Err(error) => return say(&failed(&error)),
        };
        say(&Said::Passed)?;
        if extent == Extent::Fit {
            return Ok(());
        }
        match opened.load(self.globals, &programs) {
            Ok(loaded) => {
                say(&Said::Passed)?;
                say(&Said::Passed)?;
                self.judge_loaded(loaded, &programs, say)
            }
            Err(Refused::ByLibrary(why)) => say(&Said::Failed { why }),
            Err(Refused::ByVerifier {
                program,
                error,
                log,
            }) => {
                say(&Said::Passed)?;
                let note = fit::licence_note(library, &file, &log);
                let log = plan::log::shortened(&log);
                say(&Said::Rejected {
                    program,
                    error,
                    log,
                    note,
                })
            }
        }
    }

    fn judge_loaded(
        &self,
        mut loaded: Box<dyn Loaded>,
        programs: &[Placed],
        say: Say<'_>,
    ) -> Result<()> {
        if let Err(error) = loaded.attach(programs) {
            return say(&failed(&error));
        }
        say(&Said::Passed)?;
        let mut answer = Answer::new(loaded)?;
        each(self.checks, &mut answer, say)
    }
}
