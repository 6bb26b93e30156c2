//! An answer that is a program for the learner's own machine.

use std::io::{Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail};

pub struct AnswerProgram {
    path: PathBuf,
}

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
            .context("start it")?;
        let mut stdin = child.stdin.take().context("its input")?;
        let input = input.to_owned();
        // It may stop reading, or print before it has read all.
        let writer = thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
        let (printed, complaint) = (read(child.stdout.take()), read(child.stderr.take()));
        let status = wait(&mut child);
        if status.is_err() {
            child.kill().context("end it")?;
            child.wait().context("wait for its end")?;
        }
        let (printed, complaint) = (joined(printed)?, joined(complaint)?);
        writer.join().map_err(|_| anyhow!("write its input"))?;
        if printed.len() as u64 == MOST {
            bail!("it printed {} MB, and was ended", MOST >> 20);
        }
        let status = status?;
        if !status.success() {
            bail!("it ended with {status}{}", shown(&complaint));
        }
        String::from_utf8(printed).context("what it prints is not UTF-8")
    }
}

type Reader = JoinHandle<std::io::Result<Vec<u8>>>;

fn read(from: Option<impl Read + Send + 'static>) -> Reader {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // A program that prints for ever is ended by the pipe that closes here.
        from.map_or(Ok(0), |from| from.take(MOST).read_to_end(&mut bytes))
            .map(|_| bytes)
    })
}

fn joined(reader: Reader) -> Result<Vec<u8>> {
    reader
        .join()
        .map_err(|_| anyhow!("read what it prints"))?
        .context("read what it prints")
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
