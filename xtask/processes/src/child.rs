//! Programs that are started for an answer or for a piece of work, and end with us.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use nix::sys::prctl::set_pdeathsig;
use nix::sys::signal::Signal;
use nix::unistd::Pid;

/// The output of a quick question to another program; `None` when it fails or does not exist.
pub fn ask_program(program: impl AsRef<Path>, arguments: &[&str]) -> Option<String> {
    let mut command = Command::new(program.as_ref());
    command
        .args(arguments)
        .env("LC_ALL", "C")
        .stdin(Stdio::null())
        .stderr(Stdio::null());
    end_with_us(&mut command);
    let output = command.output().ok()?;
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Ends the program when this process ends: nothing may go on writing into the cache after a killed
/// xtask.
pub fn end_with_us(command: &mut Command) {
    let end = || set_pdeathsig(Signal::SIGTERM).map_err(Into::into);
    // SAFETY: between fork and exec only one system call is made; nothing is allocated and no lock
    // is taken.
    unsafe { command.pre_exec(end) };
}

/// The number of a program that was started; also that of its process group, if it was given its
/// own.
pub fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// The first program of that name in PATH.
pub fn find_program(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .map(|directory| directory.join(program))
        .find(|file| is_executable(file))
}

pub fn is_executable(file: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    file.metadata()
        .is_ok_and(|data| data.is_file() && data.permissions().mode() & 0o111 != 0)
}
