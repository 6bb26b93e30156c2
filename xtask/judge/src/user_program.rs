//! The learner's user-space program: started, told what to do, and ended.
//!
//! It is judged from outside, by what it prints and by what is in the kernel. All such programs
//! keep to one protocol. They print `ready` when they are attached, do what each line of their
//! input tells them, print `done` after it, and end when their input ends.

use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use aya::maps::{Map, MapData, loaded_maps};
use aya::programs::loaded_programs;
use nix::unistd::Pid;

/// For what takes a tenth of a second in an emulated VM: this is for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(10);

/// Bytes of complaints that are kept: the end, where the reason is.
const COMPLAINT: usize = 64 << 10;

/// Lines of an answer to one command.
const MOST_LINES: usize = 10_000;

/// What it prints when it is attached.
const READY: &str = "ready";

/// What it prints after it did what it was told.
const DONE: &str = "done";

pub struct UserProgram {
    path: PathBuf,
    /// The eBPF program that it loads.
    object: PathBuf,
    /// What it was started with, after the eBPF program.
    pub arguments: Vec<String>,
    running: Option<Running>,
}

struct Running {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<std::io::Result<String>>,
    complaints: Option<JoinHandle<String>>,
}

impl UserProgram {
    pub fn new(path: &Path, object: &Path, arguments: Vec<String>) -> Self {
        Self {
            path: path.to_owned(),
            object: object.to_owned(),
            arguments,
            running: None,
        }
    }

    /// The name of its first thread: that of its file, as far as the kernel keeps it.
    pub fn thread_name(&self) -> String {
        let name = self.path.file_name().unwrap_or_default().to_string_lossy();
        name.chars().take(15).collect()
    }

    pub fn process(&self) -> Result<Pid> {
        let running = self.running.as_ref().context("it is not running")?;
        Ok(Pid::from_raw(running.child.id().cast_signed()))
    }

    /// Starts it and waits until it says that it is ready.
    pub fn start_answer(&mut self) -> Result<()> {
        let running = Running::start(&self.path, &self.object, &self.arguments)?;
        let lines = self
            .running
            .insert(running)
            .read_until(READY, "its start")?;
        ensure!(
            lines.is_empty(),
            "its first line is `{}`, and should be `{READY}`",
            lines[0]
        );
        Ok(())
    }

    /// Ends it and starts it again, with other arguments.
    pub fn start_again(&mut self, arguments: Vec<String>) -> Result<()> {
        self.end_answer()?;
        self.arguments = arguments;
        self.start_answer()
    }

    /// Gives it a line of input; returns what it prints up to `done`.
    pub fn tell(&mut self, line: &str) -> Result<Vec<String>> {
        let running = self.running.as_mut().context("it is not running")?;
        let input = running.input.as_mut().context("its input has ended")?;
        // It may have ended: what it says about that is read below.
        let _ = writeln!(input, "{line}").and_then(|()| input.flush());
        running.read_until(DONE, &format!("`{line}`"))
    }

    /// The same, where nothing but `done` may come.
    pub fn order(&mut self, line: &str) -> Result<()> {
        let lines = self.tell(line)?;
        match lines.first() {
            None => Ok(()),
            Some(first) => bail!("after `{line}` it printed `{first}`, and should print `{DONE}`"),
        }
    }

    /// Ends its input, and waits for its end.
    pub fn end_answer(&mut self) -> Result<()> {
        let mut running = self.running.take().context("it is not running")?;
        drop(running.input.take());
        let status = running
            .wait_for_exit()
            .context("it did not end when its input ended")?;
        ensure!(
            status.success(),
            "it ended with {status}{}",
            shown(&running.complaints())
        );
        Ok(())
    }
}

impl Running {
    fn start(path: &Path, object: &Path, arguments: &[String]) -> Result<Self> {
        let mut child = Command::new(path)
            .arg(object)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start it")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("its output")?;
        let complaints = child.stderr.take().context("its complaints")?;
        let (sender, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).lines() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        Ok(Self {
            child,
            input,
            lines,
            complaints: Some(thread::spawn(move || read_end(complaints))),
        })
    }

    /// What it prints before this line. `what` says what it is about.
    fn read_until(&mut self, last: &str, what: &str) -> Result<Vec<String>> {
        let deadline = Instant::now() + LIMIT;
        let mut lines = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let line = line.context("what it prints is not UTF-8")?;
                    if line == last {
                        return Ok(lines);
                    }
                    ensure!(
                        lines.len() < MOST_LINES,
                        "it printed more than {MOST_LINES} lines after {what}"
                    );
                    lines.push(line);
                }
                Err(RecvTimeoutError::Timeout) => bail!(
                    "it did not print `{last}` within {} s after {what}{}",
                    LIMIT.as_secs(),
                    printed(&lines)
                ),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait_for_exit()?;
                    let complaints = self.complaints();
                    bail!(
                        "it ended after {what}, with {status}, and did not print `{last}`{}",
                        shown(&complaints)
                    )
                }
            }
        }
    }

    fn wait_for_exit(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + LIMIT;
        loop {
            if let Some(status) = self.child.try_wait().context("wait for its end")? {
                return Ok(status);
            }
            ensure!(
                Instant::now() < deadline,
                "it is still there after {} s",
                LIMIT.as_secs()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it complained about, if it has ended.
    fn complaints(&mut self) -> String {
        let complaints = self.complaints.take().map(JoinHandle::join);
        complaints.and_then(Result::ok).unwrap_or_default()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// The end of what can be read. All of it is read: a pipe that is full would hold up its writer.
fn read_end(mut from: impl Read) -> String {
    let mut end = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        end.extend_from_slice(&buffer[..length]);
        end.drain(..end.len().saturating_sub(COMPLAINT));
    }
    String::from_utf8_lossy(&end).into_owned()
}

fn printed(lines: &[String]) -> String {
    lines
        .last()
        .map_or_else(String::new, |line| format!("; its last line is `{line}`"))
}

fn shown(complaints: &str) -> String {
    match complaints.trim() {
        "" => String::new(),
        text => format!("; it said: {text}"),
    }
}

/// A map that is in the kernel, by its name.
pub fn loaded_map(name: &str) -> Result<Map> {
    for map in loaded_maps() {
        let map = map.context("list the kernel's maps")?;
        if map.name_as_str() == Some(name) {
            let data = MapData::from_id(map.id()).with_context(|| format!("open {name}"))?;
            return Map::from_map_data(data).with_context(|| format!("read the map {name}"));
        }
    }
    Err(anyhow!("no map in the kernel is called {name}"))
}

/// The names of all programs that are in the kernel.
pub fn loaded_program_names() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for program in loaded_programs() {
        let program = program.context("list the kernel's programs")?;
        names.push(program.name_as_str().unwrap_or_default().to_owned());
    }
    Ok(names)
}

/// Waits until no program is in the kernel: it lets go of one a while after its last user.
pub fn wait_until_unloaded() -> Result<()> {
    let deadline = Instant::now() + LIMIT;
    loop {
        let names = loaded_program_names()?;
        if names.is_empty() {
            return Ok(());
        }
        ensure!(
            Instant::now() < deadline,
            "it has ended, and the kernel still has {}",
            names.join(", ")
        );
        thread::sleep(Duration::from_millis(5));
    }
}
