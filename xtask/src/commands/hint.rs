//! `hint`: one more each time, three in all.

use anyhow::Result;
use course::choice;
use course::exercises::{self, Exercise};
use course::progress::Progress;
use problem::{Exit, Problem};

use crate::output::screen;

/// The hints to give.
pub struct HintOptions {
    /// An exercise or a lesson; `None`: the first exercise that is not done.
    pub exercise: Option<String>,
    /// All three at once.
    pub all: bool,
}

pub fn give_hint(options: &HintOptions) -> Result<Exit> {
    let exercises = exercises::read_exercises()?;
    let progress = Progress::read_progress()?;
    let exercise = choose_pending(&exercises, options.exercise.as_deref(), &progress)?;
    let hints = &exercise.about.hints;
    let seen = if options.all {
        hints.len()
    } else {
        (progress.hints_shown(exercise) + 1).min(hints.len())
    };
    let begin = if options.all { 0 } else { seen - 1 };
    let text: String = hints[begin..seen]
        .iter()
        .enumerate()
        .map(|(index, hint)| {
            format!(
                "{} of {}: {}\n",
                begin + index + 1,
                hints.len(),
                textwrap::fill(hint, 100)
            )
        })
        .collect();
    screen::write_answer(text.as_bytes())?;
    Progress::change_progress(|progress| {
        progress.set_hints(exercise, seen.max(progress.hints_shown(exercise)))
    })?;
    screen::show_note(&if seen < hints.len() {
        format!("one more: cargo xtask hint {}", exercise.name)
    } else {
        format!(
            "that was the last; an answer: cargo xtask solution {}",
            exercise.name
        )
    });
    Ok(Exit::Done)
}

/// The exercise that was named, or the first that is not done of a lesson, or of all.
pub fn choose_pending<'a>(
    exercises: &'a [Exercise],
    name: Option<&str>,
    progress: &Progress,
) -> Result<&'a Exercise> {
    choice::choose_exercise(exercises, name, progress)?.ok_or_else(|| {
        Problem::usage(format!(
            "{}: name the one that you mean",
            choice::say_all_are_done(name)
        ))
        .help("all exercises: cargo xtask list")
        .into()
    })
}
