//! What this kernel offers to eBPF programs, found by trying.

use anyhow::Result;

use crate::machine;
use crate::screen::say;

pub struct Program {
    pub name: &'static str,
    /// `None` where the attempt failed in a way that says neither yes nor no.
    pub available: Option<bool>,
    /// `None` where it cannot be tried without something to attach to.
    pub helpers: Option<usize>,
}

pub struct Map {
    pub name: &'static str,
    pub available: Option<bool>,
}

pub fn show(programs: &[Program], maps: &[Map]) -> Result<()> {
    say("This kernel")?;
    say(&format!("  release      {}", machine::release()))?;
    say(&format!("  BTF          {}", machine::btf()))?;
    say(&format!("  JIT compiler {}", machine::jit()))?;
    say(&format!("  active LSMs  {}", machine::security_modules()))?;
    say("\nProgram types: available? how many helper functions may they call?")?;
    for program in programs {
        let helpers = program.helpers.map_or("-".to_owned(), |count| count.to_string());
        say(&format!("  {:<16} {:<7} {helpers:>4}", program.name, mark(program.available)))?;
    }
    say("  (- cannot be counted without a function to attach to)")?;
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
