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
    /// Every program that the answer must have, and where it is attached. They are attached in this order.
    pub programs: &'static [(&'static str, Hook)],
    /// Every map that the checks look into.
    pub maps: &'static [MapSpec],
    /// Values for the answer's global variables, which are set before it is loaded.
    pub globals: Option<fn() -> Result<Vec<Global>>>,
    pub checks: &'static [Check<Answer>],
}

pub struct Global {
    pub name: &'static str,
    pub bytes: Vec<u8>,
}

impl Kernel {
    pub fn judge(&self, path: &Path, library: Library, say: Say<'_>) -> Result<()> {
        let loads = can_load(&library.to_string());
        say(&Said::Checks(names(&[FITS, &loads, ACCEPTED, ATTACHED], self.checks)))?;
        let globals = self.globals.map_or_else(|| Ok(Vec::new()), |globals| globals())?;
        let file = ObjectFile::read(path)?;
        let fitting = library.open(&file).and_then(|opened| {
            let programs = fit::check(self, &globals, library, &file, &*opened)?;
            Ok((opened, programs))
        });
        let (opened, programs) = match fitting {
            Ok(fitting) => fitting,
            Err(error) => return say(&failed(&error)),
        };
        say(&Said::Passed)?;
        match opened.load(&globals, &programs) {
            Ok(loaded) => {
                say(&Said::Passed)?;
                say(&Said::Passed)?;
                self.judge_loaded(loaded, &programs, say)
            }
            Err(Refused::ByLibrary(why)) => say(&Said::Failed { why }),
            Err(Refused::ByVerifier { program, error, log }) => {
                say(&Said::Passed)?;
                let note = fit::licence_note(library, &file, &log);
                say(&Said::Rejected { program, error, log, note })
            }
        }
    }

    fn judge_loaded(&self, mut loaded: Box<dyn Loaded>, programs: &[Placed], say: Say<'_>) -> Result<()> {
        if let Err(error) = loaded.attach(programs) {
            return say(&failed(&error));
        }
        say(&Said::Passed)?;
        let mut answer = Answer::new(loaded)?;
        each(self.checks, &mut answer, say)
    }
}
