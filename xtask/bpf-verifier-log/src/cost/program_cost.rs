//! What verification of a program cost: the result.

use alloc::string::String;
use alloc::vec::Vec;

use super::cost_advice::CostAdvice;

/// What the verification of one program cost, as its log shows it.
///
/// The unit of all costs is the instruction: one that the verifier walked, or one at which it
/// arrived with a state that it had seen and turned back. The kernel counts the same, as `processed
/// N insns`, and gives up after a million.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ProgramCost {
    /// The program's name, where a loader's heading says it.
    pub name: Option<String>,
    /// Instructions that the verifier says it processed; `None` if the summary is missing.
    pub processed: Option<u64>,
    /// Instructions that the lines of the log show.
    pub shown: u64,
    /// Which part of the work the log shows.
    pub share: LogShare,
    /// From the summary, where it has them.
    pub states: Option<StateCounts>,
    /// The paths that the log shows.
    pub paths: PathCounts,
    /// The functions, the most expensive first.
    pub functions: Vec<FunctionCost>,
    /// The loops, the most expensive first.
    pub loops: Vec<LoopCost>,
    /// The lines of the source, the most expensive first.
    pub lines: Vec<LineCost>,
    /// Instructions at which paths part, the most frequent first; ten at most.
    pub forks: Vec<ForkCost>,
    /// Where paths meet with different values, the most frequent first; ten at most.
    pub obstacles: Vec<MergeObstacle>,
    /// What would make it cheaper, as far as the log proves it.
    pub advice: Vec<CostAdvice>,
}

/// Which part of the verifier's work a log shows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(rename_all = "kebab-case"))]
#[non_exhaustive]
pub enum LogShare {
    /// All of it.
    Whole,
    /// The log begins later than the walk.
    BeginningMissing,
    /// The log ends before the summary.
    EndMissing,
    /// A log of level 1 keeps the last path only.
    LastPath,
    /// Something in between is missing.
    Part,
}

/// What the kernel counts of the states that it keeps.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct StateCounts {
    /// How many it kept in all.
    pub total: u64,
    /// At once.
    pub peak: u64,
    /// At one instruction.
    pub most_at_one: u64,
}

/// How the paths ended that the log shows.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct PathCounts {
    /// Paths that were walked, the first one included.
    pub begun: u64,
    /// They came to a state that had been seen: `safe`.
    pub pruned: u64,
    /// They came to the program's or a global function's `exit`.
    pub exited: u64,
}

/// One function of the program.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct FunctionCost {
    /// Its number in the log.
    pub number: u32,
    /// Where the log says it.
    pub name: Option<String>,
    /// Number of its first instruction.
    pub first_pc: u32,
    /// What it cost: instructions that the verifier went through.
    pub insns: u64,
    /// It is walked once, whoever calls it.
    pub is_global: bool,
    /// How often the verifier came to a call of it.
    pub calls: u64,
}

/// Instructions between a jump back and its goal.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LoopCost {
    /// Number of its first instruction.
    pub first_pc: u32,
    /// The last instruction that it is about.
    pub last_pc: u32,
    /// How often the verifier came to the first instruction.
    pub rounds: u64,
    /// What it cost: instructions that the verifier went through.
    pub insns: u64,
    /// The source of the jump back.
    pub text: String,
    /// The last part of the source file's path, where the log says it.
    pub file: Option<String>,
    /// Its number in that file, from 1.
    pub line: Option<u32>,
}

/// One line of the source.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct LineCost {
    /// The text of the source line; empty where the log has none.
    pub text: String,
    /// Kernels from 6.9 on say where it is.
    pub file: Option<String>,
    /// Its number in that file, from 1.
    pub line: Option<u32>,
    /// Its first instruction.
    pub first_pc: u32,
    /// What it cost: instructions that the verifier went through.
    pub insns: u64,
    /// How often the verifier came to it.
    pub visits: u64,
    /// With how many different states; 16384 means that many or more. Numbers of ids do not count.
    pub states: u64,
    /// How many times the compiled program has the same instructions for it.
    pub copies: u64,
    /// Index of the advice on it.
    pub advice: Option<usize>,
}

/// An instruction at which paths part.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct ForkCost {
    /// Number of the instruction.
    pub pc: u32,
    /// Its text.
    pub insn: String,
    /// How many paths began at its other way out.
    pub paths: u64,
    /// The text of the source line; empty where the log has none.
    pub text: String,
    /// The last part of the source file's path, where the log says it.
    pub file: Option<String>,
    /// Its number in that file, from 1.
    pub line: Option<u32>,
}

/// A register or slot that differs where paths meet, so that the verifier walks on from there.
#[derive(Clone, Debug)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[non_exhaustive]
pub struct MergeObstacle {
    /// The instruction at which they meet.
    pub pc: u32,
    /// The text of the source line; empty where the log has none.
    pub text: String,
    /// The last part of the source file's path, where the log says it.
    pub file: Option<String>,
    /// Its number in that file, from 1.
    pub line: Option<u32>,
    /// How often the verifier came there.
    pub arrivals: u64,
    /// `R1`, `fp-16`
    pub name: String,
    /// How often it was not what it had been the time before.
    pub differs: u64,
    /// The numbers that it held, where all were numbers.
    pub least: Option<i64>,
    /// The greatest of its values, if all were numbers.
    pub greatest: Option<i64>,
    /// Most numbers were that much more than the one before.
    pub step: Option<i64>,
    /// The instructions that set it, four at most.
    pub set_by: Vec<String>,
    /// The instruction for which the verifier must know it exactly.
    pub needed_by: Option<String>,
}
