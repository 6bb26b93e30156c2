//! The judges, a file for each lesson.

mod fentry_fexit;
mod hello_kprobe;
mod lsm;
mod maps;
mod tracepoint;
mod verifier_pitfalls;
mod xdp;

use anyhow::{Context as _, Result};

use crate::exercise::Exercise;

const LESSONS: [&[Exercise]; 7] = [
    hello_kprobe::EXERCISES,
    maps::EXERCISES,
    tracepoint::EXERCISES,
    fentry_fexit::EXERCISES,
    lsm::EXERCISES,
    xdp::EXERCISES,
    verifier_pitfalls::EXERCISES,
];

pub fn find(name: &str) -> Result<&'static Exercise> {
    let mut exercises = LESSONS.iter().copied().flatten();
    exercises
        .find(|exercise| exercise.name == name)
        .with_context(|| format!("find the judge of {name}"))
}
