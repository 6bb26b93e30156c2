//! What this machine allows, and what its kernel says about itself.

use common::NotReady;
use common::machine::{self, Need};

pub fn check() -> Result<(), NotReady> {
    machine::check(env!("CARGO_PKG_NAME"), &[Need::Root])
        .map_err(|problem| problem.help("intro bytecode needs no root"))
}

pub fn btf() -> &'static str {
    if machine::has_btf() {
        "yes: the kernel describes its own types"
    } else {
        "no (CONFIG_DEBUG_INFO_BTF is off)"
    }
}

pub fn jit() -> &'static str {
    match machine::jit() {
        Some(false) => "off: programs are interpreted",
        Some(true) => "on: programs become machine code",
        None => "unknown: /proc/sys/net/core/bpf_jit_enable cannot be read",
    }
}

/// The active Linux security modules. Lesson 05 attaches to `bpf`, which must be one of them.
pub fn security_modules() -> String {
    match machine::active_lsms() {
        Ok(modules) if modules.iter().any(|module| module == "bpf") => modules.join(","),
        Ok(modules) => format!(
            "{} (without bpf: no eBPF program can say no)",
            modules.join(",")
        ),
        Err(problem) => format!("unknown ({problem})"),
    }
}
