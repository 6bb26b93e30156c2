//! An answer that is a program for the learner's own machine.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{self, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

pub struct Command {
    path: PathBuf,
}

/// For a program that does a millisecond's work.
const LIMIT: Duration = Duration::from_secs(5);

/// Bytes of output that are looked at.
const MOST: u64 = 1 << 20;

impl Command {
    pub fn new(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// Runs it with this text as its input; returns what it prints.
    pub fn run(&mut self, input: &str) -> Result<String> {
        let mut child = process::Command::new(&self.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::inherit())
            .spawn()
            .context("start it")?;
        let (mut stdin, stdout) = (child.stdin.take().context("its input")?, child.stdout.take());
        let input = input.to_owned();
        // It may stop reading, or print before it has read all.
        let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let reader = thread::spawn(move || {
            let mut text = Vec::new();
            // A program that prints for ever is ended by the pipe that closes here.
            stdout.map_or(Ok(0), |stdout| stdout.take(MOST).read_to_end(&mut text)).map(|_| text)
        });
        let status = wait(&mut child);
        if status.is_err() {
            child.kill().context("end it")?;
            child.wait().context("wait for its end")?;
        }
        let text = reader
            .join()
            .map_err(|_| anyhow::anyhow!("read what it prints"))?
            .context("read what it prints")?;
        writer.join().map_err(|_| anyhow::anyhow!("write its input"))?;
        match status? {
            status if status.success() => String::from_utf8(text).context("what it prints is not UTF-8"),
            status => bail!("it ended with {status}"),
        }
    }
}

fn wait(child: &mut process::Child) -> Result<process::ExitStatus> {
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
