//! `solution`: what the course has for an answer.

use anyhow::Result;
use course::Implementation;
use course::exercises::{self, Variant};
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
            "cargo xtask hint",
        )?;
    }
    let solution =
        answer_file::read_program(exercise.source_path(Variant::Solution, implementation))?;
    let answer = exercise.source_path(Variant::Answer, implementation);
    if options.presentation == Presentation::Apply {
        answer_file::write_answer(exercise, implementation, &solution)?;
        screen::show_note(&format!("next: cargo xtask check {}", exercise.name));
    } else if options.presentation == Presentation::Difference {
        let own = if answer.exists() {
            answer_file::read_program(answer.clone())?
        } else {
            String::new()
        };
        if own == solution {
            screen::show_note("no difference: your answer is the solution, word for word");
            return Ok(Exit::Done);
        }
        let diff = TextDiff::from_lines(&own, &solution);
        let text = diff
            .unified_diff()
            .context_radius(3)
            .header(&course_path(&answer), "the solution")
            .to_string();
        screen::write_answer(text.as_bytes())?;
    } else {
        screen::write_answer(solution.as_bytes())?;
    }
    Ok(Exit::Done)
}
