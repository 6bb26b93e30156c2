//! A guest with the judge in it, which waits for an answer. It may judge several, one after the
//! other: what QEMU has translated for the first it need not translate again.
//!
//! An answer is judged in a guest that has judged others only if nothing of them is left there. The
//! guest's init looks for what a plan has left in the kernel when the plan ends, and once more
//! before the next: what had not ended by then is seen too. Should such a guest still crash, or end
//! in another way than a fresh one, the answer is judged again in a fresh one: none has to answer
//! for another.

use std::path::PathBuf;
use std::sync::mpsc::Receiver;

use anyhow::{Context as _, Result};
use kernel::Kernel;
use processes::Interrupted;
use testvm::timeline::note_retry;
use testvm::{Failure, HeadStart, Machine};

use crate::pipeline::demo;
use crate::pipeline::judging::{self, Candidate, Checked, failed_check};

/// A guest is replaced after so many answers, however clean it is: no list of what can be left in a
/// kernel is complete.
const MOST_ANSWERS: usize = 20;

pub struct JudgeGuest {
    machine: Machine,
    judge: PathBuf,
    waiting: HeadStart,
    /// How many answers it has judged.
    judged: usize,
}

impl JudgeGuest {
    /// Starts a guest, and gives it the judge.
    ///
    /// The kernel ends the VM together with the thread that calls this.
    pub fn start_with(judge: PathBuf, kernel: &Kernel) -> Result<Self> {
        Self::start(demo::describe_machine(kernel)?, || Ok(judge))
    }

    /// Starts a guest, and gives it the judge when that is built.
    pub fn start_beside_build(judge: &Receiver<PathBuf>, kernel: &Kernel) -> Result<Self> {
        let judge = || judge.recv().context("the judge was not built");
        Self::start(demo::describe_machine(kernel)?, judge)
    }

    fn start(machine: Machine, judge: impl FnOnce() -> Result<PathBuf>) -> Result<Self> {
        let mut waiting = testvm::start_ahead(&machine).map_err(Failure::into_error)?;
        let judge = judge()?;
        waiting
            .load_programs(&judging::pack_judge(&judge, &[])?)
            .map_err(Failure::into_error)?;
        Ok(Self {
            machine,
            judge,
            waiting,
            judged: 0,
        })
    }

    /// Judges the course's own answer while the learner's is built: that is judged sooner then.
    /// Where it has left something, another guest is started.
    pub fn warm_up(self, solution: &Candidate) -> Result<Self> {
        let (machine, judge) = (self.machine.clone(), self.judge.clone());
        let warm = match self.judge_once(solution) {
            Ok((_, kept)) => kept.and_then(Self::clean_up),
            Err(error) if error.is::<Interrupted>() => return Err(error),
            // A cold guest judges as well.
            Err(error) => {
                note_retry(&format!("the course's answer was not judged: {error:#}"));
                None
            }
        };
        warm.map_or_else(|| Self::start(machine, || Ok(judge)), Ok)
    }

    /// Some VMs get their programs with the boot, and judge one answer.
    pub fn takes_others(&self) -> bool {
        self.waiting.has_programs()
    }

    /// Makes it ready for another answer; `None` if that has to be judged in another guest.
    pub fn clean_up(mut self) -> Option<Self> {
        if self.judged >= MOST_ANSWERS {
            return None;
        }
        let is_clean = self.waiting.clean_up();
        if !is_clean {
            note_retry("a guest could not be used again");
        }
        is_clean.then_some(self)
    }

    /// Judges an answer. Returns the guest too, if it may judge another after [`Self::clean_up`].
    pub fn judge_answer(self, candidate: &Candidate) -> Result<(Vec<Checked>, Option<Self>)> {
        if self.judged == 0 {
            return self.judge_once(candidate);
        }
        let (machine, judge) = (self.machine.clone(), self.judge.clone());
        match self.judge_once(candidate)? {
            (_, None) => {
                note_retry("an answer was judged again in a fresh guest");
                Self::start(machine, || Ok(judge))?.judge_once(candidate)
            }
            judged => Ok(judged),
        }
    }

    /// No verdict and no guest, if a guest that has judged others ended: that says nothing about
    /// this answer.
    fn judge_once(self, candidate: &Candidate) -> Result<(Vec<Checked>, Option<Self>)> {
        let candidates = std::slice::from_ref(candidate);
        let takes_others = self.takes_others();
        let Self {
            machine,
            judge,
            waiting,
            judged,
        } = self;
        let started = if takes_others {
            waiting.exchange_programs(&judging::pack_answers(&judge, candidates)?)
        } else {
            waiting.give_programs(&machine, &judging::pack_judge(&judge, candidates)?)
        };
        let mut started = match started {
            Ok(started) => started,
            Err(Failure::Died(_)) if judged > 0 => return Ok((Vec::new(), None)),
            Err(failure) => return Err(failure.into_error()),
        };
        let mut verdicts = match judging::judge_in_guest(&mut started.guest, candidates) {
            Ok(verdicts) => verdicts,
            Err(Failure::Died(_)) if judged > 0 => return Ok((Vec::new(), None)),
            Err(Failure::Died(death)) if death.qemu_failed.is_none() => {
                let died = failed_check("the kernel survives it", death.to_string());
                return Ok((vec![died], None));
            }
            Err(failure) => return Err(failure.into_error()),
        };
        let kept = (takes_others && verdicts.is_clean).then(|| Self {
            machine,
            judge,
            waiting: started.wait_for_others(),
            judged: judged + 1,
        });
        Ok((verdicts.checks.pop().unwrap_or_default(), kept))
    }
}
