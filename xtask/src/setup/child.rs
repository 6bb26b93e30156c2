//! Other programs that set-up runs: apt-get, dpkg-deb, cargo. They end with us, and what they print
//! goes to a file that is shown only when they fail.

use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process_group, set_parent_process_death_signal};

use super::fault;
use crate::interrupt;

/// Runs `command` with its output in the file `log`, and calls `watch` every now and then
/// meanwhile. The status is the caller's to judge; a command that takes longer than `limit` is
/// ended.
pub fn run(
    command: &mut Command,
    log: &Path,
    limit: Duration,
    mut watch: impl FnMut(),
) -> Result<ExitStatus> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = File::create(log)
        .map_err(|error| fault::io(format!("create {}", log.display()), &error))?;
    let errors = output.try_clone().context("failed to share a log file")?;
    command
        .stdin(Stdio::null())
        .stdout(output)
        .stderr(errors)
        .env("LC_ALL", "C")
        .process_group(0);
    dies_with_us(command);
    let mut child = command
        .spawn()
        .map_err(|error| fault::not_started(&name, &error))?;
    let group = Pid::from_child(&child);
    // cargo's compilers and apt's downloaders would outlive a signal to their parent alone.
    let _listening = interrupt::listen(move |signal| {
        let _ = kill_process_group(group, Signal::TERM);
        interrupt::end_by(signal);
    });
    let deadline = Instant::now() + limit;
    loop {
        if let Some(status) = child
            .try_wait()
            .with_context(|| format!("failed to wait for {name}"))?
        {
            return Ok(status);
        }
        if Instant::now() > deadline {
            let _ = kill_process_group(group, Signal::KILL);
            return child
                .wait()
                .with_context(|| format!("failed to end {name}"));
        }
        watch();
        sleep(Duration::from_millis(50));
    }
}

/// Runs `command` to its end and turns a failure into a problem that shows what the program said
/// last.
pub fn succeed(command: &mut Command, what: &str, log: &Path, watch: impl FnMut()) -> Result<()> {
    const LIMIT: Duration = Duration::from_secs(3600);
    if run(command, log, LIMIT, watch)?.success() {
        return Ok(());
    }
    Err(fault::explain(what, log).into())
}

/// The output of a quick question to another program; `None` when it fails or does not exist.
pub fn ask(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program.as_ref());
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    dies_with_us(&mut command);
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Nothing may go on writing into the cache after a killed xtask.
pub fn dies_with_us(command: &mut Command) {
    let end = || set_parent_process_death_signal(Some(Signal::TERM)).map_err(Into::into);
    // SAFETY: between fork and exec only one system call is made; nothing is allocated and no lock
    // is taken.
    unsafe { command.pre_exec(end) };
}

/// The first program of that name in PATH.
pub fn find(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|folder| folder.join(program))
        .find(|file| is_executable(file))
}

pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}

/// The bytes of all files directly in `folder`: how far a download is.
pub fn bytes_in(folder: &Path) -> u64 {
    let Ok(entries) = folder.read_dir() else {
        return 0;
    };
    let files = entries
        .flatten()
        .filter_map(|entry| entry.metadata().ok())
        .filter(|data| data.is_file());
    files.map(|data| data.len()).sum()
}

/// The last line of a growing log: what the program is doing now.
pub fn last_line(log: &Path) -> String {
    let text = std::fs::read_to_string(log).unwrap_or_default();
    text.lines()
        .rev()
        .find(|line| !line.trim().is_empty())
        .unwrap_or_default()
        .trim()
        .to_owned()
}
