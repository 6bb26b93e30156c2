//! Rights that root has and most loaders should not.

use anyhow::{Context as _, Result};
use caps::{CapSet, Capability};

/// Gives up the rights that let a program leak pointers and leave the stack half written. CAP_BPF
/// and CAP_NET_ADMIN stay: they are enough to load a network program.
pub fn drop_perfmon() -> Result<()> {
    // A right that is in effect must be permitted: it goes out of effect first.
    for set in [CapSet::Effective, CapSet::Permitted, CapSet::Inheritable] {
        for right in [Capability::CAP_PERFMON, Capability::CAP_SYS_ADMIN] {
            caps::drop(None, set, right).with_context(|| format!("give up {right}"))?;
        }
    }
    Ok(())
}
