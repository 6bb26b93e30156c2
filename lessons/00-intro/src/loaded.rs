//! What the kernel tells about a program that it has loaded.

use anyhow::Result;
use common::say;

pub struct Loaded {
    /// Told by Linux 5.16 and later.
    pub verified_instructions: Option<u32>,
    pub translated_bytes: usize,
    /// Zero where the JIT compiler is off.
    pub machine_code_bytes: usize,
    /// What the program returned for one packet.
    pub returned: u32,
}

/// The packet of the test run. Linux wants at least the 14 bytes of an Ethernet header.
pub const PACKET: [u8; 64] = [0; 64];

pub fn show(loaded: &Loaded) -> Result<()> {
    say("The smallest program, loaded into this kernel")?;
    match loaded.verified_instructions {
        Some(count) => say(&format!(
            "  verifier     accepted; it followed {count} instructions"
        ))?,
        None => {
            say("  verifier     accepted (the number of instructions is told since Linux 5.16)")?
        }
    }
    say(&format!(
        "  translated   {} bytes, in the kernel's own form of the bytecode",
        loaded.translated_bytes
    ))?;
    match loaded.machine_code_bytes {
        0 => say("  JIT compiler off: the kernel interprets the bytecode")?,
        size => say(&format!("  JIT compiler {size} bytes of machine code"))?,
    }
    let answer = if loaded.returned == 2 {
        "XDP_PASS: let it pass"
    } else {
        "not XDP_PASS"
    };
    say(&format!(
        "  test run     a packet of {} bytes in, {} out ({answer})",
        PACKET.len(),
        loaded.returned
    ))?;
    say("  unloaded     nothing else held it, so the kernel has freed it")
}
