//! What became of a plan.

use std::time::Duration;

use plan::{Observed, Outcome};

#[derive(Clone, Debug)]
pub struct StepReport {
    pub outcome: Outcome,
    /// Measured in the guest.
    pub duration: Duration,
    /// Of a step with [`plan::Step::observe`]: what it loaded, or why that is not known.
    pub observed: Option<Result<Observed, String>>,
}

#[derive(Debug, Default)]
pub struct PlanReport {
    pub steps: Vec<StepReport>,
    /// Warnings that the kernel logged while the plan ran.
    pub complaints: Vec<String>,
    /// What the plan left in the kernel: the guest should not be used again.
    pub left_behind: Vec<String>,
}

impl PlanReport {
    /// Whether the kernel is as it was before the plan, and each program ended by itself and well:
    /// then another plan finds nothing of this one.
    pub fn is_clean(&self) -> bool {
        self.complaints.is_empty()
            && self.left_behind.is_empty()
            && self.steps.iter().all(|step| step.outcome.succeeded())
    }
}
