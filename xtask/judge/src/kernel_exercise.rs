//! What an exercise asks of a program for the kernel.

use crate::answer::LoadedAnswer;
use crate::check::Check;
use crate::global::Global;
use crate::hook::Hook;
use crate::map_spec::MapSpec;

pub struct KernelExercise {
    /// Every program that the answer must have, and where it is attached. They are attached in this
    /// order.
    pub programs: &'static [(&'static str, Hook)],
    /// Every map that the checks look into.
    pub maps: &'static [MapSpec],
    /// The answer's global variables that are set before it is loaded.
    pub globals: &'static [Global],
    pub checks: &'static [Check<LoadedAnswer>],
}
