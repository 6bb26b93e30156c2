//! Other programs that set-up runs: apt-get, dpkg-deb, cargo. They end with us, and what they print
//! goes to a file that is shown only when they fail.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use nix::sys::signal::{Signal, killpg};
use processes::{child, interrupt};

use crate::fault;

/// Runs `command` with its output in the file `log`, and calls `watch` every now and then
/// meanwhile. The status is the caller's to judge; a command that takes longer than `limit` is
/// ended.
pub fn run_logged(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    mut watch: impl FnMut(),
) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = File::create(log)
        .map_err(|error| fault::io_problem(format!("create {}", log.display()), &error))?;
    let errors = output.try_clone().context("cannot share a log file")?;
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .env("LC_ALL", "C")
        .process_group(0);
    child::end_with_us(command);
    let mut child = command
        .spawn()
        .map_err(|error| fault::not_started(&name, &error))?;
    let group = child::pid_of(&child);
    // cargo's compilers and apt's downloaders would outlive a signal to their parent alone.
    let _listening = interrupt::listen_to_signals(move |signal| {
        let _ = killpg(group, Signal::SIGTERM);
        interrupt::end_by_signal(signal);
    });
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child
            .try_wait()
            .with_context(|| format!("cannot wait for {name}"))?
        {
            return Ok(status);
        }
        if Instant::now() > deadline {
            let _ = killpg(group, Signal::SIGKILL);
            return child.wait().with_context(|| format!("cannot end {name}"));
        }
        watch();
        sleep(Duration::from_millis(50));
    }
}

/// Runs `command` to its end and turns a failure into a problem that shows what the program said
/// last.
pub fn run_to_success(
    command: &mut Command,
    what: &str,
    log: &Path,
    watch: impl FnMut(),
) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(3600);
    if run_logged(command, log, LIMIT, watch)?.success() {
        return Ok(());
    }
    Err(fault::explain_failure(what, log).into())
}

/// The bytes of all files directly in `directory`: how far a download is.
pub fn count_bytes(directory: &Path) -> u64 {
    let Ok(entries) = directory.read_dir() else {
        return 0;
    };
    let files = entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(|data| data.is_file());
    files.map(|data| data.len()).sum()
}

/// The last line of a growing log: what the program is doing now.
pub fn read_last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
