//! Kernel modules that the programs need: their functions are in no BTF before they are loaded.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::kmod::{ModuleInitFlags, finit_module};

/// Loads all files of a directory in the order of their names.
pub fn load_modules(directory: &Path) -> Result<()> {
    for file in list_files(directory).with_context(|| format!("read {}", directory.display()))? {
        let module = File::open(&file).with_context(|| format!("read {}", file.display()))?;
        match finit_module(module, c"", ModuleInitFlags::empty()) {
            // It is built into this kernel, or came with the boot.
            Ok(()) | Err(Errno::EEXIST) => {}
            Err(error) => bail!("load the module {}: {error}", file.display()),
        }
    }
    Ok(())
}

fn list_files(directory: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(directory)?.map(|entry| Ok(entry?.path()));
    let mut files = entries.collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}
