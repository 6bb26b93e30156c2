//! What libbpf-sys compiles its copy of libbpf with: packages of the system's.

use anyhow::Result;
use kernel::Architecture;

use crate::packages;
use crate::part::Part;
use crate::requirement::Requirement;
use crate::site::SetupSite;

pub struct LibbpfBuild;

impl Requirement for LibbpfBuild {
    fn name(&self) -> String {
        "libbpf's build".to_owned()
    }

    fn is_met(&self) -> bool {
        packages::are_there(self.parts())
    }

    fn parts(&self) -> &'static [Part] {
        &[
            Part::Compiler(Architecture::HOST),
            Part::Make,
            Part::PkgConfig,
            Part::LibElf,
            Part::Zlib,
        ]
    }

    fn meet(&self, _site: &SetupSite) -> Result<()> {
        Ok(())
    }
}
