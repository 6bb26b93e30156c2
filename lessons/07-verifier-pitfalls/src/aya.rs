//! Loads a program with aya, which returns the verifier's log in its error.

use anyhow::{Context as _, Result, bail};
use aya::EbpfLoader;
use aya::programs::{Program, ProgramError};

use crate::log::Loaded;

/// Reads the kernel's BTF, which takes a while: once for all programs.
pub fn open_loader() -> EbpfLoader<'static> {
    EbpfLoader::new()
}

// ANCHOR: load
pub fn load(loader: &mut EbpfLoader<'_>, object: Option<&[u8]>) -> Result<Loaded> {
    let object = object.context("cannot load the program: this entry has none in Rust")?;
    let mut ebpf = loader.load(object).context("cannot open the program")?;
    let program = ebpf.programs_mut().next();
    let (name, program) = program.context("cannot find a program in the object file")?;
    let loaded = match program {
        Program::KProbe(program) => program.load(),
        Program::Xdp(program) => program.load(),
        _ => bail!("cannot load {name}: the tour has programs for kprobes and XDP only"),
    };
    match loaded {
        Ok(()) => Ok(Loaded::Accepted),
        Err(ProgramError::LoadError { verifier_log, .. }) => {
            Ok(Loaded::Rejected(verifier_log.to_string()))
        }
        Err(error) => Err(error).with_context(|| format!("cannot load {name}")),
    }
}
// ANCHOR_END: load
