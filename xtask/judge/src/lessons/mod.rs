//! The judges, a file for each lesson.

mod hello_kprobe;
mod maps;
mod tracepoint;
mod verifier_pitfalls;
mod xdp;

use anyhow::{Context as _, Result};

use crate::exercise::Exercise;

const LESSONS: [&[Exercise]; 5] = [
    hello_kprobe::EXERCISES,
    maps::EXERCISES,
    tracepoint::EXERCISES,
    xdp::EXERCISES,
    verifier_pitfalls::EXERCISES,
];

pub fn find(name: &str) -> Result<&'static Exercise> {
    let mut exercises = LESSONS.iter().copied().flatten();
    exercises.find(|exercise| exercise.name == name).with_context(|| format!("find the judge of {name}"))
}
