//! What verification of one program cost.

use bpf_verifier_log::ProgramCost;

/// What a log tells of the cost.
pub struct MeasuredCost {
    /// `None`: the kernel wrote no log.
    pub cost: Option<ProgramCost>,
    /// The limit of time ended the load: the log is of a part.
    pub late: bool,
}
