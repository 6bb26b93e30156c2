//! What this kernel offers to eBPF programs, found by trying.

use anyhow::Result;
use common::{machine, say};

pub struct ProgramSupport {
    pub name: &'static str,
    /// `None` where the attempt failed in a way that says neither yes nor no.
    pub available: Option<bool>,
    /// How many helpers it may call; `None` where they cannot be counted.
    pub helpers: Option<usize>,
}

pub struct MapSupport {
    pub name: &'static str,
    /// As for a type of programs.
    pub available: Option<bool>,
}

/// Programs of these types load without something to attach to, so their helpers can be counted.
const COUNTABLE: [&str; 5] = ["kprobe", "tracepoint", "raw_tracepoint", "xdp", "sched_cls"];

/// bpf_trace_printk, bpf_probe_write_user and bpf_trace_vprintk: each attempt leaves a warning in
/// the kernel's log. `bpftool feature` leaves the same three out.
pub const NOISY_HELPERS: [u32; 3] = [6, 36, 177];

/// Tries each type of programs with the library's own `is_supported` and `count_helpers`.
pub fn try_program_types<T: Copy>(
    types: &[(&'static str, T)],
    is_supported: impl Fn(T) -> Option<bool>,
    count_helpers: impl Fn(T) -> Result<usize>,
) -> Result<Vec<ProgramSupport>> {
    let mut programs = Vec::new();
    for (name, kind) in types {
        let available = is_supported(*kind);
        let helpers = match available {
            Some(true) if COUNTABLE.contains(name) => Some(count_helpers(*kind)?),
            _ => None,
        };
        programs.push(ProgramSupport {
            name,
            available,
            helpers,
        });
    }
    Ok(programs)
}

pub fn show_features(programs: &[ProgramSupport], maps: &[MapSupport]) -> Result<()> {
    say("This kernel")?;
    say(&format!("  release      {}", machine::kernel_release()))?;
    say(&format!("  BTF          {}", describe_btf()))?;
    say(&format!("  JIT compiler {}", describe_jit()))?;
    say(&format!("  active LSMs  {}", describe_lsms()))?;

    say("\nProgram types: available? how many helper functions may they call?")?;
    for program in programs {
        let available = describe_support(program.available);
        let helpers = match program.helpers {
            Some(count) => count.to_string(),
            None => "-".to_owned(),
        };
        say(&format!(
            "  {:<16} {available:<7} {helpers:>4}",
            program.name
        ))?;
    }
    say(UNCOUNTED)?;

    say("\nMap types: available?")?;
    for map in maps {
        let available = describe_support(map.available);
        say(&format!("  {:<16} {available}", map.name))?;
    }
    Ok(())
}

fn describe_support(available: Option<bool>) -> &'static str {
    match available {
        Some(true) => "yes",
        Some(false) => "no",
        None => "unclear",
    }
}

fn describe_btf() -> &'static str {
    if machine::has_btf() {
        "yes: the kernel describes its own types"
    } else {
        "no (CONFIG_DEBUG_INFO_BTF is off)"
    }
}

fn describe_jit() -> &'static str {
    match machine::jit_state() {
        Some(true) => "on: programs are compiled to machine code",
        Some(false) => "off: programs are interpreted",
        None => "unknown: /proc/sys/net/core/bpf_jit_enable cannot be read",
    }
}

/// The active Linux security modules. Lesson 05 attaches to `bpf`, which must be one of them.
fn describe_lsms() -> String {
    match machine::active_lsms() {
        Ok(names) if names.iter().any(|name| name == "bpf") => names.join(","),
        Ok(names) => format!("{} (no bpf: LSM programs never run)", names.join(",")),
        Err(problem) => format!("unknown ({problem})"),
    }
}

const UNCOUNTED: &str = "  \
  (-: cannot be counted without something to attach to. bpf_trace_printk, bpf_trace_vprintk and
  bpf_probe_write_user are not counted: trying them leaves warnings in the kernel's log)";
