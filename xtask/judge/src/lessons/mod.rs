//! The judges, a file for each lesson.

mod tracepoint;

use anyhow::{Context as _, Result};

use crate::exercise::Exercise;

const LESSONS: [&[Exercise]; 1] = [tracepoint::EXERCISES];

pub fn find(name: &str) -> Result<&'static Exercise> {
    let mut exercises = LESSONS.iter().copied().flatten();
    exercises.find(|exercise| exercise.name == name).with_context(|| format!("find the judge of {name}"))
}
