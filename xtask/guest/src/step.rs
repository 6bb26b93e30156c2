//! Runs one step: starts the program, passes its output on, obeys its limits, and leaves nothing
//! running.

use std::ffi::CString;
use std::fs::File;
use std::io::{self, PipeWriter, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::libc;
use nix::pty::{Winsize, posix_openpt, unlockpt};
use nix::sys::signal::{Signal, kill, killpg};
use nix::sys::wait::{Id, WaitPidFlag, waitid};
use nix::unistd::{Pid, setsid};
use plan::frame::FrameKind;
use plan::{News, Order, Outcome, Size, Step};

use crate::channel::{Channel, Message};
use crate::{inventory, observer, programs};

const ENVIRONMENT: [(&str, &str); 3] = [("PATH", "/bin"), ("HOME", "/root"), ("LANG", "C.UTF-8")];

/// How often a program without news is looked at for too much output.
const LOOK: Duration = Duration::from_millis(200);

/// A started program, and what its input and output are tied to.
struct Running {
    child: Child,
    /// The host's end of the program's terminal, if it has one.
    terminal: Option<File>,
    /// For what comes from the host, if the program has standard input that is no terminal.
    input: Option<Sender<Vec<u8>>>,
    printed: Arc<AtomicU64>,
    /// They end when nobody is left at the other end of the pipes.
    threads: Vec<JoinHandle<()>>,
}

/// Returns how the step ended, how long it took, and which processes it left, if it is asked for
/// that. They are ended.
pub fn run_step(
    index: usize,
    step: &Step,
    channel: &Channel,
    inbox: &Receiver<Message>,
) -> Result<(Outcome, Duration, Vec<String>)> {
    let start = Instant::now();
    let mut running = match start_program(step, channel) {
        Ok(running) => running,
        Err(error) => {
            return Ok((
                Outcome::NotStarted(format!("{error:#}")),
                start.elapsed(),
                Vec::new(),
            ));
        }
    };
    let limit = supervise(index, step, &mut running, inbox)?;
    let status = running
        .child
        .wait()
        .context("cannot wait for the program")?;
    let duration = start.elapsed();
    let left = match step.surroundings {
        Some(_) => inventory::list_remaining_processes()?,
        None => Vec::new(),
    };
    kill_everything();
    drop(running.terminal);
    drop(running.input);
    for thread in running.threads {
        // Only a panic makes this fail, and its message is on the console.
        let _ = thread.join();
    }
    reap_orphans();
    Ok((limit.unwrap_or_else(|| outcome(status)), duration, left))
}

fn start_program(step: &Step, channel: &Channel) -> Result<Running> {
    let mut command = Command::new(&step.program);
    command
        .args(&step.args)
        .env_clear()
        .envs(ENVIRONMENT)
        .envs(step.env.iter().cloned());
    programs::enter_root(&mut command, &starting_directory(step)?);
    if step.observe {
        observer::keep_on_one_cpu(&mut command);
    }
    let printed = Arc::new(AtomicU64::new(0));
    let mut threads = Vec::new();
    let has_input = step.surroundings.as_ref().is_some_and(|it| it.input);
    let mut input_end = None;
    if has_input && step.terminal.is_none() {
        let (program_end, end) = io::pipe()?;
        command.stdin(program_end);
        input_end = Some(end);
    } else {
        command.stdin(Stdio::null());
    }
    let mut read =
        |kind, from| threads.push(pass_on(kind, from, channel.clone(), Arc::clone(&printed)));

    let (child, terminal) = match step.terminal {
        None => {
            let (out_end, out) = io::pipe()?;
            let (err_end, err) = io::pipe()?;
            command.stdout(out).stderr(err).process_group(0);
            let child = spawn(command)?;
            read(FrameKind::Stdout, File::from(OwnedFd::from(out_end)));
            read(FrameKind::Stderr, File::from(OwnedFd::from(err_end)));
            (child, None)
        }
        Some(size) => {
            let terminal = attach_terminal(&mut command, size)?;
            let child = spawn(command)?;
            read(FrameKind::Stdout, terminal.try_clone()?);
            (child, Some(terminal))
        }
    };
    // Now that it runs: what did not start wants nothing.
    let input = input_end.map(|end| {
        let (sender, thread) = take_input(channel, end);
        threads.push(thread);
        sender
    });
    announce_end(&child, channel);
    Ok(Running {
        child,
        terminal,
        input,
        printed,
        threads,
    })
}

/// The directory where the program starts, as the program will see it.
fn starting_directory(step: &Step) -> Result<CString> {
    let directory = step.surroundings.as_ref().map(|it| it.directory.as_str());
    CString::new(directory.unwrap_or("/root")).context("a directory's name has a zero byte")
}

/// Fills a pipe with what the host sends, a frame at a time: a program that does not read holds the
/// host up, and not init.
fn take_input(channel: &Channel, mut end: PipeWriter) -> (Sender<Vec<u8>>, JoinHandle<()>) {
    let (sender, frames) = mpsc::channel::<Vec<u8>>();
    let channel = channel.clone();
    let thread = std::thread::spawn(move || {
        while channel.send_news(&News::WantsInput).is_ok() {
            // No more comes when the step has ended.
            let bytes = frames.recv().unwrap_or_default();
            // It fails when nobody is left who could read it.
            if bytes.is_empty() || end.write_all(&bytes).is_err() {
                return;
            }
        }
    });
    (sender, thread)
}

/// Starts the program. The command is dropped here, and with it init's copies of the program's ends
/// of the pipes.
fn spawn(mut command: Command) -> Result<Child> {
    let program = command.get_program().to_string_lossy().into_owned();
    command
        .spawn()
        .with_context(|| format!("cannot start {program}"))
}

/// Gives the program a new terminal as input, output and controlling terminal; returns the other
/// end.
fn attach_terminal(command: &mut Command, size: Size) -> Result<File> {
    // A program that has the host's end as well never sees its terminal hang up.
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let host_end = posix_openpt(flags).context("cannot open a terminal")?;
    unlockpt(&host_end)?;
    let program_end = open_program_end(&host_end, flags)?;
    resize(&host_end, size)?;
    command
        .stdin(program_end.try_clone()?)
        .stdout(program_end.try_clone()?)
        .stderr(program_end);
    // SAFETY: between fork and exec only two system calls are made, both safe in a child of a
    // threaded process.
    unsafe {
        command.pre_exec(|| {
            setsid()?;
            Errno::result(libc::ioctl(libc::STDIN_FILENO, libc::TIOCSCTTY, 0))?;
            Ok(())
        });
    }
    Ok(OwnedFd::from(host_end).into())
}

/// The other end of a terminal, without a look at its name in /dev/pts.
fn open_program_end(host_end: &impl AsRawFd, flags: OFlag) -> nix::Result<OwnedFd> {
    // SAFETY: the call takes a number and touches no memory.
    let end = unsafe { libc::ioctl(host_end.as_raw_fd(), libc::TIOCGPTPEER, flags.bits()) };
    let end = Errno::result(end)?;
    // SAFETY: the kernel has just made it, and nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(end) })
}

fn resize(terminal: &impl AsRawFd, size: Size) -> io::Result<()> {
    let size = Winsize {
        ws_row: size.rows,
        ws_col: size.columns,
        ws_xpixel: 0,
        ws_ypixel: 0,
    };
    // SAFETY: the call reads the size, which lives as long as the call.
    let result = unsafe { libc::ioctl(terminal.as_raw_fd(), libc::TIOCSWINSZ, &raw const size) };
    Errno::result(result)?;
    Ok(())
}

/// Passes a program's output on until the last process that could write has ended.
fn pass_on(
    kind: FrameKind,
    mut from: File,
    channel: Channel,
    printed: Arc<AtomicU64>,
) -> JoinHandle<()> {
    std::thread::spawn(move || {
        let mut buffer = [0; 4096];
        // A terminal reports its end as an I/O error, a pipe as zero bytes.
        while let Ok(length @ 1..) = from.read(&mut buffer) {
            printed.fetch_add(length as u64, Ordering::Relaxed);
            if channel.send_output(kind, &buffer[..length]).is_err() {
                return;
            }
        }
    })
}

/// Tells the main thread when the program has ended, without taking its exit status away.
fn announce_end(child: &Child, channel: &Channel) {
    let pid = pid_of(child);
    let inbox = channel.share_inbox();
    std::thread::spawn(move || {
        let options = WaitPidFlag::WEXITED | WaitPidFlag::WNOWAIT;
        while matches!(waitid(Id::Pid(pid), options), Err(Errno::EINTR)) {}
        // Nobody listens when init itself is ending.
        let _ = inbox.send(Message::ProgramEnded);
    });
}

/// Waits for the program to end; ends it when it has reached a limit, and says which.
fn supervise(
    index: usize,
    step: &Step,
    running: &mut Running,
    inbox: &Receiver<Message>,
) -> Result<Option<Outcome>> {
    let mut limit = None;
    loop {
        match inbox.recv_timeout(LOOK) {
            Ok(Message::ProgramEnded) => return Ok(limit),
            Ok(Message::Order(Order::EndStep(ended))) => {
                // Of an earlier one, which ended by itself meanwhile, the order is too late.
                if ended == index && limit.is_none() {
                    limit = Some(Outcome::TimedOut);
                    kill_everything();
                }
            }
            Ok(Message::Order(Order::Signal(number))) => send_signal(running, number),
            Ok(Message::Order(Order::Resize(size))) => {
                if let Some(terminal) = &running.terminal {
                    resize(terminal, size).context("cannot resize the terminal")?;
                }
            }
            Ok(Message::Order(
                order @ (Order::Run { .. }
                | Order::Unpack(_)
                | Order::Add(_)
                | Order::Remove
                | Order::Wake { .. }),
            )) => {
                bail!("the host sent {order:?} while a step was running");
            }
            Ok(Message::Input(bytes)) => {
                if let Some(terminal) = &mut running.terminal {
                    // It fails when the program has closed its end; word of its own end follows.
                    let _ = terminal.write_all(&bytes);
                } else if let Some(input) = &running.input {
                    // Nobody listens when the program has closed its input.
                    let _ = input.send(bytes);
                }
            }
            Ok(Message::Failed(error)) => bail!("cannot read orders: {error}"),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => bail!("the host went away"),
        }
        if limit.is_none() && has_flooded(step, running) {
            limit = Some(Outcome::Flooded);
            kill_everything();
        }
    }
}

fn has_flooded(step: &Step, running: &Running) -> bool {
    let printed = running.printed.load(Ordering::Relaxed);
    step.output_limit.is_some_and(|limit| printed > limit)
}

fn send_signal(running: &Running, number: i32) {
    if let Ok(signal) = Signal::try_from(number) {
        // It may have ended a moment ago.
        let _ = killpg(pid_of(&running.child), signal);
    }
}

fn pid_of(child: &Child) -> Pid {
    Pid::from_raw(child.id().cast_signed())
}

/// Ends every process but init: a step leaves nothing running.
fn kill_everything() {
    // It fails only when there is no other process, which is what is wanted.
    let _ = kill(Pid::from_raw(-1), Signal::SIGKILL);
}

/// Waits until the killed ones are gone, and with them their files and links.
fn reap_orphans() {
    // nix takes the end by a signal that has no name for an error: the loop would stop there.
    // SAFETY: without a place for the status, the call touches no memory.
    while unsafe { libc::waitpid(-1, ptr::null_mut(), 0) } > 0 {}
}

fn outcome(status: ExitStatus) -> Outcome {
    match (status.code(), status.signal()) {
        (Some(code), _) => Outcome::Exited(code),
        (None, Some(signal)) => Outcome::Killed(signal),
        (None, None) => Outcome::NotStarted(format!("unknown wait status {status}")),
    }
}

#[cfg(test)]
mod tests {
    use nix::fcntl::{FcntlArg, FdFlag, fcntl};

    use super::*;

    #[test]
    fn a_program_does_not_get_the_host_end() {
        let size = Size {
            rows: 24,
            columns: 80,
        };
        let terminal = attach_terminal(&mut Command::new("true"), size).unwrap();
        let flags = FdFlag::from_bits_retain(fcntl(&terminal, FcntlArg::F_GETFD).unwrap());
        assert!(flags.contains(FdFlag::FD_CLOEXEC), "{flags:?}");
    }

    #[test]
    fn a_program_has_the_terminal_as_its_own() {
        let mut command = Command::new("sh");
        // Only a controlling terminal can be opened by this name.
        command.args(["-c", "stty size < /dev/tty"]);
        let size = Size {
            rows: 31,
            columns: 97,
        };
        let mut terminal = attach_terminal(&mut command, size).unwrap();
        let mut child = spawn(command).unwrap();
        let mut printed = [0; 64];
        let length = terminal.read(&mut printed).unwrap();
        assert_eq!(&printed[..length], b"31 97\r\n");
        assert!(child.wait().unwrap().success());
    }
}
