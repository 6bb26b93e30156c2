//! The program that the demo profiles: `profiled/work.rs`, compiled in two ways.

use std::fs::File;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use nix::sys::memfd::{MFdFlags, memfd_create};

/// The name of the process, and the program that it runs.
pub const BUILDS: [(&str, &[u8]); 2] = [("frame-pointers", WITH), ("without", WITHOUT)];
const WITH: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/work-with"));
const WITHOUT: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/work-without"));

/// The running program. It ends when its input does, so it does not outlive this process.
pub struct Workload {
    child: Child,
    requests: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Workload {
    pub fn start(name: &str, program: &[u8]) -> Result<Self> {
        let file = write_to_memory(program).context("cannot write the program to memory")?;
        let mut child = Command::new(format!("/proc/self/fd/{}", file.as_raw_fd()))
            .arg(name)
            // Ctrl-C is for this process alone, which then reports what it has.
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the program")?;
        let requests = child.stdin.take().context("it has no input")?;
        let answers = child.stdout.take().context("it has no output")?;
        Ok(Self {
            child,
            requests,
            answers: BufReader::new(answers),
        })
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Returns when the request has been served.
    pub fn serve_request(&mut self) -> Result<()> {
        writeln!(self.requests, "request").context("cannot send a request")?;
        let mut answer = String::new();
        self.answers.read_line(&mut answer)?;
        ensure!(answer == "served\n", "the program answered '{answer}'");
        Ok(())
    }
}

impl Drop for Workload {
    fn drop(&mut self) {
        // It may be in the middle of a request.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A file without a name, which goes away with the processes that use it.
fn write_to_memory(program: &[u8]) -> Result<File> {
    let mut file = File::from(memfd_create(c"work", MFdFlags::MFD_CLOEXEC)?);
    file.write_all(program)?;
    // A file that is open for writing cannot be executed.
    Ok(File::open(format!("/proc/self/fd/{}", file.as_raw_fd()))?)
}
