//! What verdicts call a kernel.

use std::fmt::{self, Display, Formatter};

use kernel::{Architecture, Kernel};

/// The same series is another kernel for another architecture.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct KernelName {
    /// "6.12" for a series of Debian's, else the name of the user's file.
    pub series: String,
    pub architecture: Architecture,
}

impl KernelName {
    pub fn of_kernel(kernel: &Kernel) -> Self {
        Self {
            series: kernel.name.clone(),
            architecture: kernel.architecture,
        }
    }
}

/// "6.12", or "6.12 arm64" where that is another architecture than this machine's.
impl Display for KernelName {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        formatter.pad(&self.architecture.label(&self.series))
    }
}
