//! What this kernel offers to eBPF programs, found by trying.

use anyhow::Result;
use common::say;

use crate::machine;

pub struct Program {
    pub name: &'static str,
    /// `None` where the attempt failed in a way that says neither yes nor no.
    pub available: Option<bool>,
    /// `None` where it cannot be tried without something to attach to.
    pub helpers: Option<usize>,
}

/// bpf_trace_printk, bpf_probe_write_user and bpf_trace_vprintk: each attempt leaves a warning in
/// the kernel's log. `bpftool feature` leaves the same three out.
pub const NOISY_HELPERS: [u32; 3] = [6, 36, 177];

pub struct Map {
    pub name: &'static str,
    pub available: Option<bool>,
}

pub fn show(programs: &[Program], maps: &[Map]) -> Result<()> {
    say("This kernel")?;
    say(&format!("  release      {}", common::machine::release()))?;
    say(&format!("  BTF          {}", machine::btf()))?;
    say(&format!("  JIT compiler {}", machine::jit()))?;
    say(&format!("  active LSMs  {}", machine::security_modules()))?;
    say("\nProgram types: available? how many helper functions may they call?")?;
    for program in programs {
        let helpers = program
            .helpers
            .map_or("-".to_owned(), |count| count.to_string());
        say(&format!(
            "  {:<16} {:<7} {helpers:>4}",
            program.name,
            mark(program.available)
        ))?;
    }
    say(
        "  (- cannot be counted without something to attach to; not counted are bpf_trace_printk,",
    )?;
    say(
        "  bpf_trace_vprintk and bpf_probe_write_user, as trying them leaves warnings in the kernel's log)",
    )?;
    say("\nMap types: available?")?;
    for map in maps {
        say(&format!("  {:<16} {}", map.name, mark(map.available)))?;
    }
    Ok(())
}

fn mark(available: Option<bool>) -> &'static str {
    match available {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unclear",
    }
}
