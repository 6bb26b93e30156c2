//! The demo: lsm with three policies, started as a user would start it, in a prepared directory.

use std::env;
use std::fs::{self, File};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use clap::ValueEnum as _;
use common::process_tree::ProcessTree;
use common::{Implementation, Stop, say, wait_for_last_line};

use crate::workload::{self, COMMAND_DONE, DEEP_PLAN, DEMO_DONE, NOTES, PLAN, PROGRAM};

/// Where lsm writes: standard output is COMMAND's.
const REPORTS: &str = "reports.txt";

pub fn run_demo(implementation: Implementation) -> Result<u8> {
    // The process trees below let Ctrl-C pass: here it ends the demo.
    let stop = Stop::catch()?;
    say("notes.txt is outside secret/. A witness comes after the guard, on the hook for opening.")?;
    let denying = run_policy(implementation, &["--deny", "secret"], &stop)?;
    say("The demo's process does not descend from COMMAND, so it may open the file. The kernel")?;
    say("stops at the first program that denies, so the witness was not asked.")?;

    say("\nAn audit denies nothing. The hook for opening sees executions as well.")?;
    let auditing = run_policy(implementation, &["--deny", "secret", "--audit"], &stop)?;
    say("No program had denied, so the witness was asked too, and given the verdict so far.")?;

    say("\nA policy lasts as long as the process that holds its links, as file descriptors.")?;
    kill_policy(implementation, &mut [denying, auditing], &stop)?;
    say("The kernel was asked to kill COMMAND when lsm dies. Its child lived on, and the file is")?;
    say("open to it again.")?;
    Ok(0)
}

/// While COMMAND runs, a process that is not covered opens the file as well. Returns lsm when it
/// has reported all: it takes another half a second to detach its programs, because the kernel lets
/// 0.1 s pass after each hook that loses its last one. Meanwhile the demo goes on.
fn run_policy(library: Implementation, options: &[&str], stop: &Stop) -> Result<ProcessTree> {
    let directory = enter_directory()?;
    let lsm = start_lsm(library, options, "command")?;
    workload::wait_for_mark(COMMAND_DONE, Some(stop))?;
    workload::show_result("demo open", PLAN, File::open(PLAN))?;
    workload::create_mark(DEMO_DONE)?;
    let reports = wait_for_last_line(REPORTS, "ended", stop)?;
    say(&format!("what lsm reported:\n{}", reports.trim_end()))?;
    directory.close().context("cannot remove the directory")?;
    Ok(lsm)
}

fn kill_policy(library: Implementation, before: &mut [ProcessTree], stop: &Stop) -> Result<()> {
    let directory = enter_directory()?;
    let mut lsm = start_lsm(library, &["--deny", "secret"], "parent")?;
    workload::wait_for_mark(COMMAND_DONE, Some(stop))?;
    for lsm in before {
        lsm.expect_success().context("lsm failed")?;
    }
    say("  demo kill       lsm")?;
    lsm.kill_command()?;
    // Fails when COMMAND was not killed: it waits for a mark that nobody creates.
    let failed = lsm.wait()?;
    ensure!(failed == 0, "COMMAND was not killed with lsm");
    directory.close().context("cannot remove the directory")
}

/// Files to open, in a new directory.
fn enter_directory() -> Result<tempfile::TempDir> {
    let directory = tempfile::tempdir().context("cannot create a directory")?;
    env::set_current_dir(&directory).context("cannot enter the directory")?;
    fs::create_dir_all("secret/a/b").context("cannot create secret/a/b")?;
    for file in [NOTES, PLAN, DEEP_PLAN] {
        fs::write(file, "words\n").with_context(|| format!("cannot write {file}"))?;
    }
    let program = env::current_exe().context("cannot find the lesson's own program")?;
    fs::copy(program, PROGRAM).with_context(|| format!("cannot write {PROGRAM}"))?;
    Ok(directory)
}

fn start_lsm(implementation: Implementation, options: &[&str], role: &str) -> Result<ProcessTree> {
    say(&format!("$ lsm {} -- COMMAND", options.join(" ")))?;
    let program = env::current_exe().context("cannot find the lesson's own program")?;
    let value = implementation.to_possible_value();
    let value = value.context("an implementation has a name")?;
    let mut lsm = Command::new(&program);
    lsm.args(["--impl", value.get_name()]).args(options);
    lsm.args(["--output", REPORTS, "--"]).arg(&program);
    ProcessTree::spawn(lsm.args(["--role", role]))
}
