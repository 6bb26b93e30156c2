//! `test`

use clap::Parser;

use crate::commands::test::{TestOptions, TestStep};

pub const TEST_HELP: &str = "\
At the end a table has the costs of each step and each test binary, and names the crates that cargo
compiled several times. What the binaries printed is in target/tests/STEP/. The book's tests in a
browser run beside the step after them, which goes on if they fail. The figures:
  CPU s      of everything that was started, without VMs
  VM CPU s   of QEMU
  VMs        how many were started, and how many of these booted instead of being resumed
  peak MB    resident memory of the largest process
  compiled   crates and their targets that this cargo compiled; inner builds are not counted

JSON: one object per line, for each step and each part of it (fields may be added)
  step             vm
  part             exercises; null for the step as a whole
  passed           true or false
  seconds
  cpu_seconds      as above, without VMs
  vm_cpu_seconds   of QEMU
  vm_seconds       from the start of each VM to its end, added up
  vms_booted
  vms_resumed
  peak_bytes       as above
  compiled         names, once for each time

Examples:
  cargo xtask test                   everything, as CI does
  cargo xtask test fmt clippy unit   what needs no VM
  cargo xtask test --json >costs     the table for programs; the progress stays on the terminal";

#[derive(Debug, Parser)]
pub struct TestArguments {
    /// Steps to run, in this order; without any, all of them
    #[arg(value_name = "STEP")]
    steps: Vec<TestStep>,
    /// Fail if a test, or a part of one, was skipped
    #[arg(long)]
    no_skips: bool,
    /// Run the steps after one that failed too
    #[arg(long)]
    keep_going: bool,
    /// Print JSON, one line per step and part
    #[arg(long)]
    json: bool,
}

impl From<TestArguments> for TestOptions {
    fn from(arguments: TestArguments) -> Self {
        Self {
            steps: arguments.steps,
            no_skips: arguments.no_skips,
            keep_going: arguments.keep_going,
            json: arguments.json,
        }
    }
}
