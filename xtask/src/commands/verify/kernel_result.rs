//! What one kernel said.

use plan::load::Load;

/// What became of the objects on one kernel.
pub struct KernelResult {
    pub kernel: String,
    pub release: String,
    pub loads: Vec<Load>,
    /// Names of objects that have no programs.
    pub without_programs: Vec<String>,
    /// This machine could not run the kernel, and why: the verdicts that are missing are not known.
    pub machine_failed: Option<String>,
    /// False: what is in modules is not there, whether or not the kernel was built with it.
    pub has_modules: bool,
    /// What a person should know about the kernel.
    pub notes: Vec<String>,
}
