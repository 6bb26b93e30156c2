//! What an exercise asks of a user-space program.

use crate::check::Check;
use crate::user_program::UserProgram;

pub struct UserProgramExercise {
    /// What the answer is started with, after the path of the eBPF program.
    pub arguments: fn() -> Vec<String>,
    /// The eBPF programs that it must load. None, if the learner chooses them.
    pub programs: &'static [&'static str],
    pub checks: &'static [Check<UserProgram>],
}
