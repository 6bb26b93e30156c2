//! What judges do for the programs to see. Names and numbers are others at each run.

use std::fs;
use std::iter;
use std::path::Path;
use std::process::{Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, anyhow};

/// Every dynamic program comes with it, and the VM has no other programs. It is small, and ends at once.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// A name that nobody can know beforehand, of 8 letters.
pub fn name() -> String {
    iter::repeat_with(fastrand::lowercase).take(8).collect()
}

/// Executes a program of this name, this many times, one after the other.
pub fn execute_as(name: &str, times: u64) -> Result<()> {
    let path = Path::new("/tmp").join(name);
    fs::copy(LOADER, &path).with_context(|| format!("make {}", path.display()))?;
    for _ in 0..times {
        let mut command = Command::new(&path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().with_context(|| format!("execute {}", path.display()))?;
    }
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

/// Does this in a thread of its own, with a name of at most 15 bytes: to the kernel, a thread has a name as a program
/// has. Returns the thread's id as well.
pub fn as_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<(u32, T)> {
    let work = move || work().map(|done| (thread_id(), done));
    let thread = thread::Builder::new().name(name.to_owned()).spawn(work).context("start a thread")?;
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

/// Of the thread that asks.
pub fn thread_id() -> u32 {
    rustix::thread::gettid().as_raw_nonzero().get().unsigned_abs()
}
