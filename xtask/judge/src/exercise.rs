//! What a judge is made of.

#[cfg(feature = "kernel")]
use anyhow::Context as _;
use anyhow::Result;
use plan::judge::Said;

use crate::answer_program::AnswerProgram;
use crate::check::{Check, Say, check_names, run_checks};
use crate::cli::Cli;
#[cfg(feature = "kernel")]
use crate::judge_object::{Extent, judge_object};
#[cfg(feature = "kernel")]
use crate::judge_user_program::judge_user_program;
#[cfg(feature = "kernel")]
use crate::kernel_exercise::KernelExercise;
#[cfg(feature = "kernel")]
use crate::user_program_exercise::UserProgramExercise;

pub struct JudgedExercise {
    /// Such as `03/count-by-comm`.
    pub name: &'static str,
    pub judge: Judge,
}

pub enum Judge {
    /// The answer is an object file for the kernel.
    #[cfg(feature = "kernel")]
    Kernel(KernelExercise),
    /// The answer is a program that loads an eBPF program.
    #[cfg(feature = "kernel")]
    UserProgram(UserProgramExercise),
    /// The answer is a program for the learner's own machine.
    Here(&'static [Check<AnswerProgram>]),
}

impl JudgedExercise {
    pub fn judge_answer(&self, cli: &Cli, say: Say<'_>) -> Result<()> {
        match &self.judge {
            Judge::Here(checks) => {
                say(&Said::Checks(check_names(&[], checks)))?;
                let mut answer = AnswerProgram::new(&cli.answer);
                run_checks(
                    checks,
                    &mut answer,
                    |check, answer, _| (check.holds)(answer),
                    say,
                )
            }
            #[cfg(feature = "kernel")]
            Judge::UserProgram(exercise) => {
                let object = cli.object.as_ref();
                let object = object.context("--object names the eBPF program")?;
                judge_user_program(exercise, &cli.answer, object, say)
            }
            #[cfg(feature = "kernel")]
            Judge::Kernel(exercise) => {
                let library = cli
                    .with
                    .context("--with says which library loads the answer: aya or libbpf")?;
                let extent = if cli.fit_only {
                    Extent::Fit
                } else {
                    Extent::All
                };
                judge_object(exercise, &cli.answer, library, extent, say)
            }
        }
    }
}
