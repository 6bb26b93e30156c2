//! What would make verification cheaper.

use alloc::string::String;

/// What would make one place cheaper.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct CostAdvice {
    /// Which advice it is.
    pub kind: AdviceKind,
    /// The instructions that it is about.
    pub first_pc: u32,
    /// The last instruction that it is about.
    pub last_pc: u32,
    /// What they cost.
    pub insns: u64,
    /// What the log shows.
    pub observed: String,
    /// What to do.
    pub instead: String,
}

/// What the log proves.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum AdviceKind {
    /// A loop is walked once for each value of its counter.
    LoopRounds,
    /// A static function is walked at each call.
    RepeatedFunction,
    /// The compiler wrote the same instructions several times.
    RepeatedCode,
    /// Paths meet with different values in a place that must be known exactly.
    MeetingPaths,
}
