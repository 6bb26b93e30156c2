//! The C compiler for another architecture than this machine's, with its C library: it links what
//! runs in such a guest.

use anyhow::Result;
use kernel::Architecture;

use crate::packages;
use crate::part::Part;
use crate::requirement::Requirement;
use crate::site::SetupSite;

pub struct CrossCompiler {
    pub architecture: Architecture,
}

impl Requirement for CrossCompiler {
    fn name(&self) -> String {
        format!("C compiler for {}", self.architecture)
    }

    fn is_met(&self) -> bool {
        packages::are_there(self.parts())
    }

    fn parts(&self) -> &'static [Part] {
        match self.architecture {
            Architecture::Amd64 => &[
                Part::Compiler(Architecture::Amd64),
                Part::StaticLibc(Architecture::Amd64),
            ],
            Architecture::Arm64 => &[
                Part::Compiler(Architecture::Arm64),
                Part::StaticLibc(Architecture::Arm64),
            ],
        }
    }

    fn meet(&self, _site: &SetupSite) -> Result<()> {
        Ok(())
    }
}
