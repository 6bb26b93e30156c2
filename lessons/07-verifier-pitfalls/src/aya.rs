//! Loading with aya, and its way to the verifier's log.

use anyhow::{Context as _, Result, bail};
use aya::EbpfLoader;
use aya::programs::{Program, ProgramError};

use crate::verdict::Verdict;

// ANCHOR: load
pub fn load(loader: &mut EbpfLoader<'_>, object: Option<&[u8]>) -> Result<Verdict> {
    let object = object.context("find the program: this entry has none in Rust")?;
    let mut ebpf = loader.load(object).context("open the program")?;
    let (name, program) = ebpf
        .programs_mut()
        .next()
        .context("find a program in the object file")?;
    let loaded = match program {
        Program::KProbe(program) => program.load(),
        Program::Xdp(program) => program.load(),
        _ => bail!("load {name}: the tour has programs for kprobes and XDP only"),
    };
    match loaded {
        Ok(()) => Ok(Verdict::Accepted),
        // The log comes with the error.
        Err(ProgramError::LoadError { verifier_log, .. }) => {
            Ok(Verdict::Rejected(verifier_log.to_string()))
        }
        Err(error) => Err(error).with_context(|| format!("load {name}")),
    }
}
// ANCHOR_END: load
