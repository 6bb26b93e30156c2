//! A program of a step, or a test binary: it runs, and what became of it.

use std::process::Command;
use std::time::Instant;

use anyhow::Result;
use processes::{Foreground, Interrupted};

use crate::commands::test::cost::{Cost, read_vm_cost};
use crate::commands::test::records::Records;

/// What became of a program of a step, or of a test binary.
pub struct PartResult {
    pub name: String,
    pub passed: bool,
    pub cost: Cost,
}

/// Runs it to its end. Tests in it may say what they skip, and VMs what they cost.
pub fn run_part(name: &str, mut program: Command, records: &Records) -> Result<PartResult> {
    let vms = records.new_vm_file(name)?;
    program.env(testvm::VM_USAGE, &vms);
    records.set_skips(&mut program);
    let begin = Instant::now();
    let ended = Foreground::start_command(program)?.wait_with_usage()?;
    if let Some(signal) = ended.signal {
        return Err(Interrupted(signal).into());
    }
    Ok(PartResult {
        name: name.to_owned(),
        passed: ended.status.success(),
        cost: Cost {
            wall_time: begin.elapsed(),
            cpu_time: ended.cpu_time,
            vms: read_vm_cost(&vms)?,
            peak_bytes: ended.peak_bytes,
            compiled: Vec::new(),
        },
    })
}
