//! What `verify` is asked.

use std::path::PathBuf;

use kernel::Architecture;

use super::attach_target::AttachTarget;
use super::report_file::ReportFile;
use crate::pipeline::selection::Selection;

/// What to load, where, and what to tell.
pub struct VerifyOptions {
    pub objects: Vec<PathBuf>,
    pub kernels: Selection,
    /// What the kernels are for.
    pub architectures: Vec<Architecture>,
    pub mode: VerifyMode,
    /// How many VMs run side by side; `None`: as many as fit.
    pub jobs: Option<usize>,
    /// That one program may take on one kernel.
    pub seconds: u64,
    /// Of a VM.
    pub memory_mib: u32,
    /// Nothing is attached.
    pub load_only: bool,
    /// What verification costs is wanted.
    pub cost: Option<CostQuestion>,
    pub targets: Vec<AttachTarget>,
    /// Names of maps, and how many entries they get.
    pub map_entries: Vec<(String, u32)>,
    /// Kernel modules that are loaded besides those that sections name.
    pub modules: Vec<String>,
    /// The verifier's whole log of what was rejected.
    pub log: bool,
    pub json: bool,
    pub reports: Vec<ReportFile>,
}

/// What is asked about the cost of verification.
#[derive(Clone, Debug, Default)]
pub struct CostQuestion {
    /// Instructions that a program may take on each kernel.
    pub budget: Option<u64>,
    /// What `verify --cost --json` printed before.
    pub compare: Option<PathBuf>,
}

/// What is asked of the kernels.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum VerifyMode {
    /// What each of them says.
    Each,
    /// Whether it works on all of them.
    Claim,
    /// Where the answer changes. `thorough`: no kernel is left out.
    Bisect { thorough: bool },
}
