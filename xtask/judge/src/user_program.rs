//! The learner's user-space program: started, told what to do, and ended.
//!
//! It is judged from outside, by what it prints and by what is in the kernel. All such programs
//! keep to one protocol. They print `ready` when they are attached, do what each line of their
//! input tells them, print `done` after it, and end when their input ends.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use nix::sys::prctl;
use nix::sys::signal::{Signal, killpg};
use nix::sys::wait::{WaitPidFlag, WaitStatus, waitpid};
use nix::unistd::Pid;

use crate::loaded::loaded_program_names;

/// For what takes a tenth of a second in an emulated VM: this is for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(10);

/// For what happens by itself once a process has ended.
const SOON: Duration = Duration::from_secs(1);

/// Bytes of complaints that are kept: the end, where the reason is.
const COMPLAINT: usize = 64 << 10;

/// Lines of an answer to one command.
const MOST_LINES: usize = 10_000;

/// Bytes of one line. A program that prints for ever would fill the VM's memory otherwise.
const LONGEST_LINE: usize = 4096;

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
    lines: Receiver<Result<String>>,
    complaints: Receiver<String>,
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

    /// The bytes of the eBPF program that it loads.
    pub fn read_object(&self) -> Result<Vec<u8>> {
        fs::read(&self.object).with_context(|| format!("read {}", self.object.display()))
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
        running.expect_silence(&format!("`{line}`"))?;
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
        running.expect_silence("its input ended")?;
        drop(running.input.take());
        let status = running
            .wait_for_exit()
            .context("it did not end when its input ended")?;
        ensure!(
            status.success(),
            "it ended with {status}{}",
            running.complaints()
        );
        ensure!(
            running.is_alone(),
            "it ended, and a process that it started is still there"
        );
        Ok(())
    }
}

impl Running {
    fn start(path: &Path, object: &Path, arguments: &[String]) -> Result<Self> {
        // What it leaves becomes a child of this process.
        prctl::set_child_subreaper(true).context("become the parent of what it leaves")?;
        let mut child = Command::new(path)
            .arg(object)
            .args(arguments)
            .process_group(0)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .context("start it")?;
        let input = child.stdin.take();
        let output = child.stdout.take().context("its output")?;
        let stderr = child.stderr.take().context("its complaints")?;
        // With a limit: a program that prints for ever waits until its lines are read.
        let (sender, lines) = mpsc::sync_channel(MOST_LINES);
        thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Some(line) = read_line(&mut output).transpose() {
                if sender.send(line).is_err() {
                    break;
                }
            }
        });
        let (sender, complaints) = mpsc::channel();
        thread::spawn(move || sender.send(read_end(stderr)));
        Ok(Self {
            child,
            input,
            lines,
            complaints,
        })
    }

    /// It prints only what it was told to. `before` says what comes next.
    fn expect_silence(&mut self, before: &str) -> Result<()> {
        match self.lines.try_recv() {
            Ok(line) => bail!(
                "it printed `{}` before {before}, and should print nothing",
                line?
            ),
            Err(_) => Ok(()),
        }
    }

    /// What it prints before this line. `what` says what it is about.
    fn read_until(&mut self, last: &str, what: &str) -> Result<Vec<String>> {
        let deadline = Instant::now() + LIMIT;
        let mut lines = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    let line = line?;
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
                    "it did not print `{last}` within {} s after {what}{}{}",
                    LIMIT.as_secs(),
                    printed(&lines),
                    self.complaints()
                ),
                Err(RecvTimeoutError::Disconnected) => {
                    let status = self.wait_for_exit();
                    let status = status.context("it closed its output")?;
                    bail!(
                        "it ended after {what}, with {status}, and did not print `{last}`{}",
                        self.complaints()
                    )
                }
            }
        }
    }

    fn wait_for_exit(&mut self) -> Result<ExitStatus> {
        let deadline = Instant::now() + LIMIT;
        let mut lines = 0;
        loop {
            if let Some(status) = self.child.try_wait().context("wait for its end")? {
                return Ok(status);
            }
            lines += self.lines.try_iter().take(MOST_LINES).count();
            ensure!(
                lines < MOST_LINES,
                "it is still there, and printed more than {MOST_LINES} lines"
            );
            ensure!(
                Instant::now() < deadline,
                "it is still there after {} s",
                LIMIT.as_secs()
            );
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it complained about, as the end of a sentence. Nobody else may hold its pipe open: it
    /// and what it started are ended.
    fn complaints(&mut self) -> String {
        self.end_group();
        let text = self.complaints.recv_timeout(SOON).unwrap_or_default();
        match text.trim() {
            "" => String::new(),
            text => format!("; on standard error: {text}"),
        }
    }

    /// Whether nothing that it started is left, when it has ended.
    fn is_alone(&self) -> bool {
        let whole_group = Pid::from_raw(-self.group().as_raw());
        let deadline = Instant::now() + SOON;
        loop {
            match waitpid(whole_group, Some(WaitPidFlag::WNOHANG)) {
                Ok(WaitStatus::StillAlive) if Instant::now() > deadline => return false,
                Ok(WaitStatus::StillAlive) => thread::sleep(Duration::from_millis(2)),
                // One has ended, and was waited for.
                Ok(_) => {}
                Err(_) => return true,
            }
        }
    }

    fn end_group(&mut self) {
        // Both fail if there is nothing left, which is what is wanted.
        let _ = killpg(self.group(), Signal::SIGKILL);
        let _ = self.child.wait();
    }

    /// It, and what it started.
    fn group(&self) -> Pid {
        Pid::from_raw(self.child.id().cast_signed())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_group();
    }
}

/// Without its end; `None` at the end of the output.
fn read_line(output: &mut impl BufRead) -> Result<Option<String>> {
    let mut line = Vec::new();
    let mut limited = output.take(LONGEST_LINE as u64 + 1);
    let length = limited.read_until(b'\n', &mut line);
    if length.context("read what it prints")? == 0 {
        return Ok(None);
    }
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    ensure!(
        line.len() <= LONGEST_LINE,
        "it printed a line of more than {LONGEST_LINE} bytes"
    );
    String::from_utf8(line)
        .map(Some)
        .context("what it prints is not UTF-8")
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

#[cfg(test)]
mod tests {
    use super::*;

    /// A program that is this script of the shell.
    fn start_script(script: &str) -> Result<UserProgram> {
        let arguments = vec![script.to_owned()];
        let mut program = UserProgram::new(Path::new("/bin/sh"), Path::new("-c"), arguments);
        program.start_answer()?;
        Ok(program)
    }

    fn expect_end(script: &str, expected: &str) {
        let start = Instant::now();
        let end = start_script(script).and_then(|mut program| program.end_answer());
        let error = format!("{:#}", end.expect_err("the script is wrong"));
        assert!(error.contains(expected), "{error}");
        assert!(start.elapsed() < LIMIT, "{error}");
    }

    #[test]
    fn a_program_that_keeps_to_the_protocol() {
        let mut program = start_script("echo ready; read a; echo $a; echo done; read b; true")
            .expect("it starts");
        assert_eq!(program.tell("list").expect("it answers"), ["list"]);
        program.end_answer().expect("it ends");
    }

    #[test]
    fn a_child_that_stays_is_found() {
        let expected = "a process that it started is still there";
        expect_end("echo ready; sleep 99 & read a; exit 0", expected);
    }

    #[test]
    fn a_child_that_has_ended_does_not_stay() {
        let program = start_script("sleep 0.1 & echo ready; read a; exit 0");
        program.and_then(|mut it| it.end_answer()).expect("it ends");
    }

    #[test]
    fn a_child_that_stays_does_not_hold_up_the_reason() {
        let expected = "exit status: 3; on standard error: why";
        expect_end(
            "echo ready; echo why >&2; sleep 99 & read a; exit 3",
            expected,
        );
        expect_end(
            "echo why >&2; sleep 99 >/dev/null & exit 3",
            "status: 3, and did not print `ready`; on standard error: why",
        );
    }

    #[test]
    fn a_line_without_end_is_too_long() {
        expect_end("yes | tr -d '\\n'", "a line of more than 4096 bytes");
    }

    #[test]
    fn lines_without_end_are_too_many() {
        expect_end("exec yes", "more than 10000 lines after its start");
        expect_end("echo ready; read a; exec yes", "more than 10000 lines");
    }

    #[test]
    fn what_it_says_too_much_is_found() {
        let mut program =
            start_script("echo ready; read a; echo done; echo done; read b").expect("it starts");
        program.order("on").expect("it obeys");
        let deadline = Instant::now() + SOON;
        let silent = |program: &mut UserProgram| {
            let running = program.running.as_mut().expect("it runs");
            running.expect_silence("`off`")
        };
        while silent(&mut program).is_ok() {
            assert!(Instant::now() < deadline, "it was not found");
        }
    }
}
