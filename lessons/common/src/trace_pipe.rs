//! The kernel's trace buffer, where `bpf_printk` writes.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;
use std::process;

use anyhow::{Context as _, Result};
use nix::libc::O_NONBLOCK;

use crate::{machine, text};

/// What the kernel writes in front of the text of `bpf_printk`.
const MARK: &[u8] = b": bpf_trace_printk: ";

/// A separate trace buffer. Each line of the common `trace_pipe` goes to whoever reads it first;
/// each instance of the trace buffer gets its own copy of the lines.
pub struct TracePipe {
    instance: PathBuf,
    pipe: Option<File>,
}

impl TracePipe {
    pub fn open() -> Result<Self> {
        let name = format!("lesson-{}", process::id());
        let instance = machine::find_tracefs()?.join("instances").join(name);
        fs::create_dir(&instance)
            .with_context(|| format!("cannot create the trace buffer {}", instance.display()))?;
        // From here on, dropping it removes the instance.
        let mut trace_pipe = Self {
            instance,
            pipe: None,
        };
        let switch = "events/bpf_trace/bpf_trace_printk/enable";
        let switch = trace_pipe.instance.join(switch);
        fs::write(&switch, "1").with_context(|| format!("cannot write to {}", switch.display()))?;
        let path = trace_pipe.instance.join("trace_pipe");
        let pipe = OpenOptions::new()
            .read(true)
            .custom_flags(O_NONBLOCK)
            .open(&path);
        trace_pipe.pipe = Some(pipe.with_context(|| format!("cannot open {}", path.display()))?);
        Ok(trace_pipe)
    }

    /// The texts that have arrived since the last call, without the columns for task, CPU, flags
    /// and time.
    pub fn read_lines(&mut self) -> Result<Vec<String>> {
        let mut bytes = Vec::new();
        if let Some(pipe) = &mut self.pipe {
            match pipe.read_to_end(&mut bytes) {
                Err(error) if error.kind() != ErrorKind::WouldBlock => {
                    return Err(error).context("cannot read trace_pipe");
                }
                _ => {}
            }
        }
        let lines = bytes.split(|&byte| byte == b'\n');
        Ok(lines.filter_map(printed_text).collect())
    }
}

impl Drop for TracePipe {
    fn drop(&mut self) {
        // The kernel does not remove an instance that somebody has open.
        self.pipe = None;
        if let Err(error) = fs::remove_dir(&self.instance) {
            let path = self.instance.display();
            eprintln!("warning: cannot remove the trace buffer {path}: {error}");
        }
    }
}

/// `    hello-1234    [001] d..31    12.345678: bpf_trace_printk: the text`
fn printed_text(line: &[u8]) -> Option<String> {
    let mark = line.windows(MARK.len()).position(|window| window == MARK)?;
    Some(text::printable(&line[mark + MARK.len()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_is_what_follows_the_columns() {
        let line = b"   hello-71  [000] d..31     2.051: bpf_trace_printk: pid=71 exit ret=0";
        assert_eq!(printed_text(line).as_deref(), Some("pid=71 exit ret=0"));
        assert_eq!(printed_text(b"CPU:1 [LOST 12 EVENTS]"), None);
        assert_eq!(printed_text(b""), None);
    }
}
