//! `reset`: the way back to the starter.

use anyhow::Result;
use course::exercises::{self, Exercise, Variant};
use course::progress::Progress;
use problem::Exit;

use crate::commands::hint::choose_pending;
use crate::output::{consent, screen};
use crate::pipeline::answer_file::write_answer;

/// The answers to put back.
pub struct ResetOptions {
    /// An exercise or a lesson; `None`: the first exercise that is not done.
    pub exercise: Option<String>,
    /// Every exercise, and what is recorded as done.
    pub all: bool,
    /// Do not ask.
    pub yes: bool,
}

pub fn reset_answers(options: &ResetOptions) -> Result<Exit> {
    let exercises = exercises::read_exercises()?;
    let progress = Progress::read_progress()?;
    let wanted: Vec<&Exercise> = if options.all {
        exercises.iter().collect()
    } else {
        vec![choose_pending(
            &exercises,
            options.exercise.as_deref(),
            &progress,
        )?]
    };
    let begun: Vec<_> = wanted
        .iter()
        .flat_map(|exercise| {
            exercise
                .offered_implementations()
                .map(move |implementation| (*exercise, implementation))
        })
        .filter(|(exercise, implementation)| exercise.is_begun(*implementation))
        .collect();
    let changed: usize = begun
        .iter()
        .map(|(exercise, implementation)| exercise.changed_paths(*implementation).len())
        .sum();
    if begun.is_empty() {
        screen::show_note("nothing to reset: the answers are the starters");
    } else if !options.yes {
        consent::ask_consent(
            &format!(
                "Put {} back to the starter? A copy is kept.",
                files(changed)
            ),
            "leave it as it is",
        )?;
    }
    // First, so that a reset that ends in the middle leaves no starter that is recorded as done.
    mark_undone(&wanted)?;
    for (exercise, implementation) in &begun {
        write_answer(exercise, *implementation, Variant::Starter)?;
    }
    // Again, because a check may have ended meanwhile.
    mark_undone(&wanted)?;
    Ok(Exit::Done)
}

fn mark_undone(exercises: &[&Exercise]) -> Result<()> {
    Progress::change_progress(|progress| {
        for exercise in exercises {
            for implementation in exercise.offered_implementations() {
                progress.set_done(exercise, implementation, false);
            }
        }
    })
}

fn files(number: usize) -> String {
    if number == 1 {
        "one file".to_owned()
    } else {
        format!("{number} files")
    }
}
