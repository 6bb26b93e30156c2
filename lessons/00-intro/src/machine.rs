//! What this machine allows, and what its kernel says about itself.

use std::fmt;
use std::fs;
use std::path::Path;

/// What is missing here, and what to do about it.
#[derive(Debug)]
pub struct NotReady {
    what: &'static str,
    pub help: Vec<&'static str>,
}

impl fmt::Display for NotReady {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.what)
    }
}

impl std::error::Error for NotReady {}

pub fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

pub fn check() -> Result<(), NotReady> {
    if is_root() {
        return Ok(());
    }
    Err(NotReady {
        what: "load an eBPF program: only root may do that here",
        help: vec![
            "cargo xtask run intro runs the lesson in a virtual machine",
            "sudo, with the same command, runs it here",
            "intro bytecode needs no root",
        ],
    })
}

pub fn release() -> String {
    rustix::system::uname().release().to_string_lossy().into_owned()
}

pub fn btf() -> &'static str {
    if Path::new("/sys/kernel/btf/vmlinux").exists() {
        "yes: the kernel describes its own types"
    } else {
        "no (CONFIG_DEBUG_INFO_BTF is off)"
    }
}

pub fn jit() -> &'static str {
    match fs::read_to_string("/proc/sys/net/core/bpf_jit_enable").as_deref().map(str::trim) {
        Ok("0") => "off: programs are interpreted",
        Ok(_) => "on: programs become machine code",
        Err(_) => "unknown: /proc/sys/net/core/bpf_jit_enable cannot be read",
    }
}

/// The active Linux security modules. Lesson 05 attaches to `bpf`, which must be one of them.
pub fn security_modules() -> String {
    match fs::read_to_string("/sys/kernel/security/lsm") {
        Ok(modules) if modules.split(',').any(|module| module.trim() == "bpf") => modules,
        Ok(modules) => format!("{modules} (without bpf: no eBPF program can say no)"),
        Err(_) => "unknown: securityfs is not mounted at /sys/kernel/security".to_owned(),
    }
}
