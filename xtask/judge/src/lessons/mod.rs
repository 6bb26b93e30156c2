//! The judges, a file for each lesson, and one for its exercises of user-space programs.

mod fentry_fexit;
mod fentry_fexit_user_program;
mod hello_kprobe;
mod hello_kprobe_user_program;
mod lsm;
mod maps;
mod maps_user_program;
mod own_tool;
mod profiler;
mod profiler_user_program;
mod tracepoint;
mod tracepoint_user_program;
mod traffic;
mod traffic_user_program;
mod uprobe;
mod uprobe_user_program;
mod verifier_pitfalls;
mod xdp;
mod xdp_user_program;

use anyhow::{Context as _, Result};

use crate::exercise::JudgedExercise;

const LESSONS: &[&[JudgedExercise]] = &[
    hello_kprobe::EXERCISES,
    hello_kprobe_user_program::EXERCISES,
    maps::EXERCISES,
    maps_user_program::EXERCISES,
    tracepoint::EXERCISES,
    tracepoint_user_program::EXERCISES,
    fentry_fexit::EXERCISES,
    fentry_fexit_user_program::EXERCISES,
    lsm::EXERCISES,
    xdp::EXERCISES,
    xdp_user_program::EXERCISES,
    verifier_pitfalls::EXERCISES,
    own_tool::EXERCISES,
    traffic::EXERCISES,
    traffic_user_program::EXERCISES,
    uprobe::EXERCISES,
    uprobe_user_program::EXERCISES,
    profiler::EXERCISES,
    profiler_user_program::EXERCISES,
];

pub fn find_exercise(name: &str) -> Result<&'static JudgedExercise> {
    let mut exercises = LESSONS.iter().copied().flatten();
    exercises
        .find(|exercise| exercise.name == name)
        .with_context(|| format!("find the judge of {name}"))
}
