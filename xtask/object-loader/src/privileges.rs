//! Rights that root has and most loaders should not.

use anyhow::{Context as _, Result};
use rustix::thread::{CapabilitySet, capabilities, set_capabilities};

/// Gives up the rights that let a program leak pointers and leave the stack half written. CAP_BPF
/// and CAP_NET_ADMIN stay: they are enough to load a network program.
pub fn drop_perfmon() -> Result<()> {
    let gone = CapabilitySet::PERFMON | CapabilitySet::SYS_ADMIN;
    let mut sets = capabilities(None).context("read this process's capabilities")?;
    sets.effective.remove(gone);
    sets.permitted.remove(gone);
    sets.inheritable.remove(gone);
    set_capabilities(None, sets).context("give up CAP_PERFMON and CAP_SYS_ADMIN")
}
