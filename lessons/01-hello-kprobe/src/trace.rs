//! The kernel's trace buffer, where `bpf_printk` writes.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process;

use anyhow::{Context as _, Result};
use rustix::fs::{Mode, OFlags};

use crate::message;

/// Debian and most others mount it at the first place; the second is where it used to be.
const MOUNTS: [&str; 2] = ["/sys/kernel/tracing", "/sys/kernel/debug/tracing"];

/// A trace buffer of our own. Reading the common `trace_pipe` takes the lines away from everyone else who reads
/// it, and they take ours; each instance gets its own copy.
pub struct Trace {
    folder: PathBuf,
    pipe: Option<File>,
}

pub fn mount() -> Option<&'static Path> {
    MOUNTS.iter().map(Path::new).find(|mount| mount.join("instances").exists())
}

impl Trace {
    pub fn open() -> Result<Self> {
        let mount = mount().context("find tracefs: it is not mounted")?;
        let folder = mount.join("instances").join(format!("hello-kprobe-{}", process::id()));
        fs::create_dir(&folder).with_context(|| format!("create trace instance {}", folder.display()))?;
        let mut trace = Self { folder, pipe: None };
        let switch = trace.folder.join("events/bpf_trace/bpf_trace_printk/enable");
        fs::write(&switch, "1").with_context(|| format!("switch on {}", switch.display()))?;
        let pipe = trace.folder.join("trace_pipe");
        let file: OwnedFd = rustix::fs::open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())
            .with_context(|| format!("open {}", pipe.display()))?;
        trace.pipe = Some(file.into());
        Ok(trace)
    }

    /// The messages that have come since the last call.
    pub fn lines(&mut self) -> Result<Vec<String>> {
        let mut bytes = Vec::new();
        if let Some(pipe) = &mut self.pipe {
            match pipe.read_to_end(&mut bytes) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    return Err(error).context("read trace_pipe");
                }
                _ => {}
            }
        }
        Ok(bytes.split(|&byte| byte == b'\n').filter_map(text).collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // An instance in use cannot be removed.
        self.pipe = None;
        if let Err(error) = fs::remove_dir(&self.folder) {
            eprintln!("warning: remove trace instance {}: {error}", self.folder.display());
        }
    }
}

/// `    hello-1234    [001] d..31    12.345678: bpf_trace_printk: the text`
fn text(line: &[u8]) -> Option<String> {
    const MARK: &[u8] = b": bpf_trace_printk: ";
    let at = line.windows(MARK.len()).position(|window| window == MARK)?;
    Some(message::printable(&line[at + MARK.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_follows_the_columns() {
        let line = b"   hello-kprobe-71  [000] d..31     2.051: bpf_trace_printk: pid=71 exit ret=0";
        assert_eq!(text(line).as_deref(), Some("pid=71 exit ret=0"));
        assert_eq!(text(b"CPU:1 [LOST 12 EVENTS]"), None);
        assert_eq!(text(b""), None);
    }
}
