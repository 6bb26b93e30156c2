//! An answer that is a program for the learner's own machine.

use std::io::{Read, Write as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

use crate::check::MachineFault;

pub struct AnswerProgram {
    path: PathBuf,
}

const SIGKILL: i32 = 9;

/// For a program that does a millisecond's work.
const LIMIT: Duration = Duration::from_secs(5);

/// Bytes of output that are looked at.
const MOST: u64 = 1 << 20;

/// Characters of what it complains about that are shown.
const COMPLAINT: usize = 300;

impl AnswerProgram {
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Runs it with this text as its input; returns what it prints.
    pub fn run_with_input(&mut self, input: &str) -> Result<String> {
        let mut child = Command::new(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            // It was just built: processes, memory or descriptors are too few.
            .context(MachineFault)?;
        let mut stdin = child.stdin.take().context("its input")?;
        let input = input.to_owned();
        // It may stop reading, or print before it has read all.
        let write = move || drop(stdin.write_all(input.as_bytes()));
        let writer = thread::Builder::new().spawn(write).context(MachineFault)?;
        let (printed, complaint) = (read(child.stdout.take())?, read(child.stderr.take())?);
        let status = wait(&mut child);
        if status.is_err() {
            child.kill().context("end it")?;
            child.wait().context("wait for its end")?;
        }
        let (printed, complaint) = (received(&printed)?, received(&complaint)?);
        writer.join().map_err(|_| anyhow!("write its input"))?;
        if printed.len() as u64 == MOST {
            bail!("it printed {} MB, and was ended", MOST >> 20);
        }
        let status = status?;
        // No answer sends itself this: memory was short.
        if status.signal() == Some(SIGKILL) {
            return Err(anyhow!("it was killed").context(MachineFault));
        }
        if !status.success() {
            bail!("it ended with {status}{}", shown(&complaint));
        }
        String::from_utf8(printed).context("what it prints is not UTF-8")
    }
}

type Reader = Receiver<std::io::Result<Vec<u8>>>;

fn read(from: Option<impl Read + Send + 'static>) -> Result<Reader> {
    let (sender, reader) = mpsc::channel();
    let read = move || {
        let mut bytes = Vec::new();
        // A program that prints for ever is ended by the pipe that closes here.
        let read = from.map_or(Ok(0), |from| from.take(MOST).read_to_end(&mut bytes));
        sender.send(read.map(|_| bytes))
    };
    thread::Builder::new().spawn(read).context(MachineFault)?;
    Ok(reader)
}

/// What was read, when the program has ended.
fn received(reader: &Reader) -> Result<Vec<u8>> {
    let Ok(read) = reader.recv_timeout(LIMIT) else {
        bail!("it ended, and a process that it started still has its output open");
    };
    read.context("read what it prints")
}

fn shown(complaint: &[u8]) -> String {
    let complaint = String::from_utf8_lossy(complaint);
    match complaint.trim() {
        "" => String::new(),
        text => format!(
            " and said: {}",
            text.chars().take(COMPLAINT).collect::<String>()
        ),
    }
}

fn wait(child: &mut Child) -> Result<ExitStatus> {
    let deadline = Instant::now() + LIMIT;
    loop {
        if let Some(status) = child.try_wait().context("wait for its end")? {
            return Ok(status);
        }
        if Instant::now() > deadline {
            bail!("it did not end within {} s", LIMIT.as_secs());
        }
        thread::sleep(Duration::from_millis(2));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_that_stays_is_not_waited_for() {
        let mut shell = AnswerProgram::new(Path::new("/bin/sh"));
        let error = shell.run_with_input("sleep 9 &\n").expect_err("it stays");
        assert!(format!("{error:#}").contains("output open"), "{error:#}");
    }

    #[test]
    fn what_the_machine_does_to_a_program_is_no_mistake_in_it() {
        let is_fault = |path: &str, input: &str| {
            let mut program = AnswerProgram::new(Path::new(path));
            let error = program.run_with_input(input).expect_err("it fails");
            error.is::<MachineFault>()
        };
        assert!(is_fault("/bin/sh", "kill -KILL $$\n"));
        assert!(!is_fault("/bin/sh", "kill -SEGV $$\n"));
        assert!(is_fault("/nowhere/answer", ""));
    }
}
