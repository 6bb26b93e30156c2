//! Loading with aya, and its way to the verifier's log.

use anyhow::{Context as _, Result, bail};
use aya::EbpfLoader;
use aya::programs::{Program, ProgramError};

use crate::entry::Entry;
use crate::verdict::Verdict;

pub fn failing(entry: &Entry) -> Result<Verdict> {
    load(entry.rust.failing.context("find the failing program: it has none in Rust")?)
}

pub fn fixed(entry: &Entry) -> Result<Verdict> {
    load(entry.rust.fixed.context("find the fixed program: it has none in Rust")?)
}

// ANCHOR: load
fn load(object: &[u8]) -> Result<Verdict> {
    let mut ebpf = EbpfLoader::new().load(object).context("open the program")?;
    let (name, program) = ebpf.programs_mut().next().context("find a program in the object file")?;
    let loaded = match program {
        Program::KProbe(program) => program.load(),
        Program::Xdp(program) => program.load(),
        _ => bail!("load {name}: the tour has programs for kprobes and XDP only"),
    };
    match loaded {
        Ok(()) => Ok(Verdict::Accepted),
        // The log comes with the error.
        Err(ProgramError::LoadError { verifier_log, .. }) => Ok(Verdict::Rejected(verifier_log.to_string())),
        Err(error) => Err(error).with_context(|| format!("load {name}")),
    }
}
// ANCHOR_END: load
