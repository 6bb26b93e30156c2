//! How a program for the kernel is judged.

use std::path::Path;

use anyhow::Result;
use plan::judge::{ACCEPTED, ATTACHED, FITS, Said, can_load};
use plan::load::EbpfLibrary;

use crate::answer::LoadedAnswer;
use crate::answer_object::AnswerObject;
use crate::check::{Say, check_names, failed_check, run_checks};
use crate::fit;
use crate::hook::Placed;
use crate::kernel_exercise::KernelExercise;
use crate::library::{LoadRefused, LoadedObject};
use crate::open::open_object;
use crate::skipped_runs::run_unless_skipped;

/// How far to go.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Extent {
    All,
    /// Up to the first check, which reads the object file and needs no kernel.
    Fit,
}

pub fn judge_object(
    exercise: &KernelExercise,
    path: &Path,
    library: EbpfLibrary,
    extent: Extent,
    say: Say<'_>,
) -> Result<()> {
    let loads = can_load(library.name());
    say(&Said::Checks(check_names(
        &[FITS, &loads, ACCEPTED, ATTACHED],
        exercise.checks,
    )))?;
    let file = AnswerObject::read_file(path)?;
    let fitting = open_object(library, &file).and_then(|opened| {
        let programs = fit::check_fit(exercise, library, &file, &*opened)?;
        Ok((opened, programs))
    });
    let (opened, programs) = match fitting {
        Ok(fitting) => fitting,
        Err(error) => return say(&failed_check(&error)),
    };
    say(&Said::Passed)?;
    if extent == Extent::Fit {
        return Ok(());
    }
    match opened.load_object(exercise.globals, &programs) {
        Ok(loaded) => {
            say(&Said::Passed)?;
            say(&Said::Passed)?;
            judge_loaded(exercise, loaded, &programs, say)
        }
        Err(LoadRefused::ByLibrary(why)) => say(&Said::Failed { why }),
        Err(LoadRefused::ByVerifier {
            program,
            error,
            log,
        }) => {
            say(&Said::Passed)?;
            let note = fit::licence_note(library, &file, &log);
            let log = plan::log::shorten_log(&log);
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
    exercise: &KernelExercise,
    mut loaded: Box<dyn LoadedObject>,
    programs: &[Placed],
    say: Say<'_>,
) -> Result<()> {
    if let Err(error) = loaded.attach_programs(programs) {
        return say(&failed_check(&error));
    }
    say(&Said::Passed)?;
    let mut answer = LoadedAnswer::new(loaded)?;
    run_checks(exercise.checks, &mut answer, run_unless_skipped, say)
}
