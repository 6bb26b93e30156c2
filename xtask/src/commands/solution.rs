//! `solution`: what the course has for an answer.

use std::path::Path;

use anyhow::Result;
use course::Implementation;
use course::exercises::{self, Exercise, Variant};
use course::progress::Progress;
use problem::Exit;
use similar::TextDiff;

use crate::commands::hint::choose_pending;
use crate::output::consent;
use crate::output::screen;
use crate::pipeline::answer_build::course_path;
use crate::pipeline::answer_file;

/// Which solution, and how it is shown.
pub struct SolutionOptions {
    /// An exercise or a lesson; `None`: the first exercise that is not done.
    pub exercise: Option<String>,
    /// `None`: the one that was begun.
    pub implementation: Option<Implementation>,
    pub presentation: Presentation,
    /// Do not ask, although the exercise is not done.
    pub yes: bool,
}

/// What to do with a solution.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Presentation {
    /// Show it.
    Whole,
    /// Show what differs from the answer.
    Difference,
    /// Write it over the answer.
    Apply,
}

pub fn show_solution(options: &SolutionOptions) -> Result<Exit> {
    let exercises = exercises::read_exercises()?;
    let progress = Progress::read_progress()?;
    let exercise = choose_pending(&exercises, options.exercise.as_deref(), &progress)?;
    let implementation = exercise.choose_implementation(options.implementation)?;
    if !progress.is_done(exercise) && !options.yes {
        consent::ask_consent(
            &format!("{} is not done. See its solution?", exercise.name),
            &format!("cargo xtask hint {}", exercise.name),
        )?;
    }
    match options.presentation {
        Presentation::Whole => show_whole(exercise, implementation)?,
        Presentation::Difference => show_difference(exercise, implementation)?,
        Presentation::Apply => {
            answer_file::write_answer(exercise, implementation, Variant::Solution)?;
            screen::show_note(&format!("next: cargo xtask check {}", exercise.name));
        }
    }
    Ok(Exit::Done)
}

/// A solution of several files says which is which.
fn show_whole(exercise: &Exercise, implementation: Implementation) -> Result<()> {
    let sources = exercise.source_paths(Variant::Solution, implementation);
    for source in &sources {
        if sources.len() > 1 {
            screen::show_note(&course_path(source));
        }
        screen::write_answer(answer_file::read_program(source)?.as_bytes())?;
    }
    Ok(())
}

fn show_difference(exercise: &Exercise, implementation: Implementation) -> Result<()> {
    let paths = |variant| exercise.source_paths(variant, implementation);
    let mut differences = String::new();
    for (answer, solution) in paths(Variant::Answer).iter().zip(paths(Variant::Solution)) {
        differences += &difference(answer, &solution)?;
    }
    if differences.is_empty() {
        screen::show_note("no difference: your answer is the solution, word for word");
    }
    Ok(screen::write_answer(differences.as_bytes())?)
}

/// An answer that has gone counts as an empty one.
fn difference(answer: &Path, solution: &Path) -> Result<String> {
    let own = if answer.exists() {
        answer_file::read_program(answer)?
    } else {
        String::new()
    };
    let diff = TextDiff::from_lines(&own, &answer_file::read_program(solution)?)
        .unified_diff()
        .context_radius(3)
        .header(&course_path(answer), "the solution")
        .to_string();
    Ok(diff)
}
