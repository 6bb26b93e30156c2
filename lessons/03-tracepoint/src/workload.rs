//! What the demo does: it executes a few programs, and one that does not exist.
//!
//! The VM has no other programs than this one. So the demo executes the dynamic loader, which each
//! dynamic program has; as a program it is small and quick, and what it prints does not matter.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail};
use common::architecture::LOADER;

pub const MISSING: &str = "/no/such/program";
const THIS_PROGRAM: &str = "/proc/self/exe";

/// `nobody` on most machines
const NOBODY: u32 = 65534;

pub fn execute_loader() -> Result<u32> {
    execute(&mut Command::new(LOADER))
}

pub fn execute_loader_as_nobody() -> Result<u32> {
    execute(Command::new(LOADER).uid(NOBODY).gid(NOBODY))
}

/// That process starts a thread, which executes the loader.
pub fn execute_this_program() -> Result<u32> {
    execute(Command::new(THIS_PROGRAM).args(["--from-thread", LOADER]))
}

pub fn execute_missing_program() -> Result<()> {
    match Command::new(MISSING).spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("cannot execute {MISSING}")),
        Ok(_) => bail!("{MISSING} was executed, but it should not exist"),
    }
}

/// What this program does in the process that the demo starts.
pub fn execute_from_thread(file: &Path) -> Result<()> {
    let mut command = Command::new(file);
    let second = thread::spawn(move || command.exec());
    // When execve succeeds, the kernel ends all other threads, and this one never returns.
    match second.join() {
        Ok(error) => Err(error).context("cannot execute from a thread"),
        Err(_) => bail!("the second thread panicked"),
    }
}

/// Waits until the program has ended, and returns the id of its process.
fn execute(command: &mut Command) -> Result<u32> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.with_context(|| format!("cannot execute {program}"))?;
    let status = child.wait();
    status.with_context(|| format!("cannot wait for {program}"))?;
    Ok(child.id())
}
