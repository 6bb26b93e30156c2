//! Whether this machine can run the lesson. Said first, in plain words: the kernel would say only EPERM or EINVAL.

use std::fmt;
use std::path::Path;

use crate::trace;

/// What is missing here, and what to do about it.
#[derive(Debug)]
pub struct NotReady {
    what: String,
    pub help: Vec<String>,
}

impl NotReady {
    pub fn new(what: impl Into<String>) -> Self {
        Self { what: what.into(), help: Vec::new() }
    }

    pub fn help(mut self, line: impl Into<String>) -> Self {
        self.help.push(line.into());
        self
    }
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for NotReady {}

const IN_A_VM: &str = "cargo xtask run hello-kprobe runs the lesson in a virtual machine";

pub fn check() -> Result<(), NotReady> {
    if !rustix::process::geteuid().is_root() {
        return Err(NotReady::new("load an eBPF program: only root may do that here")
            .help("sudo, with the same command")
            .help(IN_A_VM));
    }
    if !Path::new("/sys/bus/event_source/devices/kprobe").exists() {
        return Err(NotReady::new(
            "attach a kprobe: this kernel was built without them (CONFIG_KPROBE_EVENTS)",
        )
        .help(IN_A_VM));
    }
    if !Path::new("/sys/kernel/btf/vmlinux").exists() {
        return Err(
            NotReady::new("find the kernel's types: it has no BTF (CONFIG_DEBUG_INFO_BTF)").help(IN_A_VM)
        );
    }
    if trace::mount().is_none() {
        return Err(NotReady::new("find trace_pipe: tracefs is not mounted")
            .help("mount -t tracefs tracefs /sys/kernel/tracing"));
    }
    Ok(())
}
