//! A boot that does nothing: what a run is compared with.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use checkout::workspace;
use kernel::Architecture;
use testvm::image::Archive;

use crate::pipeline::cross_build;

const BARE_INIT: &str = "\
#include <sys/reboot.h>
int main(void) { return reboot(RB_AUTOBOOT); }
";

/// An initial file system whose init does nothing but end the VM.
pub fn pack_initramfs(architecture: Architecture) -> Result<Vec<u8>> {
    let mut archive = Archive::default();
    let init = fs::read(compile_init(architecture)?).context("cannot read the bare init")?;
    archive.add_file("init", 0o755, &init)?;
    archive.finish_archive()
}

fn compile_init(architecture: Architecture) -> Result<PathBuf> {
    // A class may only read the cache that it shares.
    let directory = workspace::own_cache().join("init");
    fs::create_dir_all(&directory)
        .with_context(|| format!("cannot create {}", directory.display()))?;
    let name = format!("bare{}", architecture.cache_suffix());
    let (source, program) = (directory.join("bare.c"), directory.join(name));
    fs::write(&source, BARE_INIT).with_context(|| format!("cannot write {}", source.display()))?;
    let status = Command::new(cross_build::compiler_of(architecture))
        .args(["-static", "-Os", "-s", "-o"])
        .args([&program, &source])
        .status()
        .context("cannot start the C compiler")?;
    ensure!(status.success(), "the bare init does not compile");
    Ok(program)
}
