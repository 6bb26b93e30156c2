//! The judges, a file for each lesson.

mod fentry_fexit;
mod hello_kprobe;
mod lsm;
mod maps;
mod tracepoint;
mod verifier_pitfalls;
mod xdp;

use anyhow::{Context as _, Result};

use crate::exercise::JudgedExercise;

const LESSONS: [&[JudgedExercise]; 7] = [
    hello_kprobe::EXERCISES,
    maps::EXERCISES,
    tracepoint::EXERCISES,
    fentry_fexit::EXERCISES,
    lsm::EXERCISES,
    xdp::EXERCISES,
    verifier_pitfalls::EXERCISES,
];

pub fn find_exercise(name: &str) -> Result<&'static JudgedExercise> {
    let mut exercises = LESSONS.iter().copied().flatten();
    exercises
        .find(|exercise| exercise.name == name)
        .with_context(|| format!("find the judge of {name}"))
}
