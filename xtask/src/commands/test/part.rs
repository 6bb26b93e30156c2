//! A program of a step, or a test binary: it runs, and what became of it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context as _, Result};
use processes::{Foreground, Interrupted};

use crate::commands::test::cost::{Cost, read_vm_cost};
use crate::commands::test::records::Records;
use crate::output::screen::{self, Mark};

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

/// The same for one whose output goes into a file.
pub fn run_logged_part(
    name: &str,
    mut program: Command,
    log: &Path,
    records: &Records,
) -> Result<PartResult> {
    if let Some(directory) = log.parent() {
        fs::create_dir_all(directory)
            .with_context(|| format!("cannot create {}", directory.display()))?;
    }
    let output = File::create(log).with_context(|| format!("cannot create {}", log.display()))?;
    program
        .stderr(output.try_clone().context("cannot share a log file")?)
        .stdout(output);
    run_part(name, program, records)
}

/// A line for what passed, and all that was printed for what failed.
pub fn show_logged_result(result: &PartResult, line: &str, printed: &str) {
    let mark = if result.passed { Mark::Good } else { Mark::Bad };
    let time = screen::format_seconds(result.cost.wall_time);
    screen::show_marked(mark, &format!("{line}, {time}"));
    if !result.passed {
        screen::pass_on_errors(printed.as_bytes());
    }
}

pub fn read_log(log: &Path) -> Result<String> {
    let bytes = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
