//! What every requirement can be asked.

use anyhow::Result;

use crate::part::Part;
use crate::site::SetupSite;

/// Something that a command cannot do without.
pub trait Requirement: Sync {
    /// For people: `bpf-linker`, `kernel 6.12`.
    fn name(&self) -> String;

    /// Cheap: files are looked at, no program is started.
    fn is_met(&self) -> bool;

    /// Like [`Self::is_met`], and the checksums of what was fetched are compared.
    fn is_whole(&self) -> bool {
        self.is_met()
    }

    /// Packages of the system's that it needs; they are installed with the user's consent.
    fn parts(&self) -> &'static [Part] {
        &[]
    }

    /// Room in bytes that meeting it takes for a while, downloads and unpacked packages included.
    fn bytes(&self) -> u64 {
        0
    }

    /// What set-up would do about it, with what it costs; `None` if that is to install its
    /// packages.
    fn plan(&self) -> Option<String> {
        None
    }

    /// Fetches, builds or links it. The packages of [`Self::parts`] are there already.
    fn meet(&self, site: &SetupSite) -> Result<()>;
}

/// A requirement to be met: there is one value of each.
pub type Need = &'static dyn Requirement;
