//! The kernel's trace buffer, where `bpf_printk` writes.

use std::fs::{self, File};
use std::io::{ErrorKind, Read as _};
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::process;

use anyhow::{Context as _, Result};
use common::{machine, text};
use rustix::fs::{Mode, OFlags};

/// A trace buffer of our own. Reading the common `trace_pipe` takes the lines away from everyone
/// else who reads it, and they take ours; each instance gets its own copy.
pub struct Trace {
    folder: PathBuf,
    pipe: Option<File>,
}

impl Trace {
    pub fn open() -> Result<Self> {
        let folder = machine::tracefs()?
            .join("instances")
            .join(format!("hello-kprobe-{}", process::id()));
        fs::create_dir(&folder)
            .with_context(|| format!("create trace instance {}", folder.display()))?;
        let mut trace = Self { folder, pipe: None };
        let switch = trace
            .folder
            .join("events/bpf_trace/bpf_trace_printk/enable");
        fs::write(&switch, "1").with_context(|| format!("switch on {}", switch.display()))?;
        let pipe = trace.folder.join("trace_pipe");
        let file: OwnedFd =
            rustix::fs::open(&pipe, OFlags::RDONLY | OFlags::NONBLOCK, Mode::empty())
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
        Ok(bytes
            .split(|&byte| byte == b'\n')
            .filter_map(text)
            .collect())
    }
}

impl Drop for Trace {
    fn drop(&mut self) {
        // An instance in use cannot be removed.
        self.pipe = None;
        if let Err(error) = fs::remove_dir(&self.folder) {
            eprintln!(
                "warning: remove trace instance {}: {error}",
                self.folder.display()
            );
        }
    }
}

/// `    hello-1234    [001] d..31    12.345678: bpf_trace_printk: the text`
fn text(line: &[u8]) -> Option<String> {
    const MARK: &[u8] = b": bpf_trace_printk: ";
    let at = line.windows(MARK.len()).position(|window| window == MARK)?;
    Some(text::printable(&line[at + MARK.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_follows_the_columns() {
        let line =
            b"   hello-kprobe-71  [000] d..31     2.051: bpf_trace_printk: pid=71 exit ret=0";
        assert_eq!(text(line).as_deref(), Some("pid=71 exit ret=0"));
        assert_eq!(text(b"CPU:1 [LOST 12 EVENTS]"), None);
        assert_eq!(text(b""), None);
    }
}
