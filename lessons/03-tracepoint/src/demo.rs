//! The workload: executes a few programs, and one that does not exist.
//!
//! The VM has no programs but this one. So the demo executes what every dynamic program comes with,
//! the loader that starts it; as a program it is small and quick. What it answers does not matter
//! here.

use std::io::ErrorKind;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{self, Command, Stdio};
use std::thread;

use anyhow::{Context as _, Result, bail, ensure};

use crate::event::Event;
use crate::way::Way;

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
const MYSELF: &str = "/proc/self/exe";
const MISSING: &str = "/no/such/program";

/// `nobody`, on most machines.
const NOBODY: u32 = 65534;

/// One execution: every way must have seen it.
pub struct Executed {
    pub title: &'static str,
    pid: u32,
    uid: u32,
    /// Which execution of that process it is.
    nth: usize,
    /// Whether a thread that was not the first called execve.
    from_thread: bool,
}

/// Returns when all the programs have ended.
pub fn execute() -> Result<Vec<Executed>> {
    let once = |title, pid, uid| Executed {
        title,
        pid,
        uid,
        nth: 0,
        from_thread: false,
    };
    let root = run(&mut Command::new(LOADER))?;
    let nobody = run(Command::new(LOADER).uid(NOBODY).gid(NOBODY))?;
    fail()?;
    let threads = run(Command::new(MYSELF).args(["--from-thread", LOADER]))?;
    Ok(vec![
        once(
            "the loader, executed by root; COMM is the file's name, cut to 15 bytes",
            root,
            0,
        ),
        once("the same, executed by the user nobody", nobody, NOBODY),
        once("this program; it starts a second thread ...", threads, 0),
        Executed {
            title: "... and that thread executes the loader",
            pid: threads,
            uid: 0,
            nth: 1,
            from_thread: true,
        },
    ])
}

pub fn execute_from_thread(file: PathBuf) -> Result<()> {
    let second = thread::spawn(move || Command::new(file).exec());
    // When execve succeeds the kernel ends every other thread, and this one does not get any
    // further.
    match second.join() {
        Ok(error) => Err(error).context("execute from a thread"),
        Err(_) => bail!("execute from a thread: it panicked"),
    }
}

fn run(command: &mut Command) -> Result<u32> {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut child = child.with_context(|| format!("execute {program}"))?;
    child
        .wait()
        .with_context(|| format!("wait for {program}"))?;
    Ok(child.id())
}

fn fail() -> Result<()> {
    match Command::new(MISSING).spawn() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error).with_context(|| format!("execute {MISSING}")),
        Ok(_) => bail!("execute {MISSING}: it should not exist"),
    }
}

/// Whether the event is one of the demo's: other programs execute files as well.
pub fn is_ours(event: &Event, programs: &[Executed]) -> bool {
    programs.iter().any(|program| program.pid == event.pid) || event.filename() == MISSING
}

/// An execve that fails must have left nothing. It was called before the last program's, so its
/// event would be here.
pub fn check_missing(seen: &[Event]) -> Result<()> {
    ensure!(
        seen.iter().all(|event| event.filename() != MISSING),
        "execute {MISSING}: there was an event of it"
    );
    Ok(())
}

impl Executed {
    /// What each way saw of it, in the order of the ways; an error if one missed it or two
    /// disagree.
    pub fn seen<'a>(&self, events: &'a [Event], ways: &[Way]) -> Result<Vec<&'a Event>> {
        let of_way = |way: &Way| {
            let mut all = events
                .iter()
                .filter(|event| event.way == *way as u32 && event.pid == self.pid);
            all.nth(self.nth)
                .with_context(|| format!("find what was seen of '{}': a way missed it", self.title))
        };
        let seen = ways.iter().map(of_way).collect::<Result<Vec<_>>>()?;
        for event in &seen {
            self.check(event)
                .with_context(|| format!("check what was seen of '{}'", self.title))?;
        }
        for pair in seen.windows(2) {
            let same = |event: &Event| {
                (
                    event.pid,
                    event.old_pid,
                    event.uid,
                    event.comm(),
                    event.filename(),
                )
            };
            let (first, second) = (same(pair[0]), same(pair[1]));
            ensure!(
                first == second,
                "compare the ways: one saw {first:?}, another {second:?}"
            );
        }
        Ok(seen)
    }

    fn check(&self, event: &Event) -> Result<()> {
        let (ppid, me) = (event.ppid(), process::id());
        ensure!(
            ppid.is_none_or(|ppid| ppid == me),
            "the parent is {me}, not {ppid:?}"
        );
        ensure!(
            event.uid == self.uid,
            "the user is {}, not {}",
            self.uid,
            event.uid
        );
        let other_thread = event.old_pid != event.pid;
        ensure!(
            other_thread == self.from_thread,
            "the thread before was {}",
            event.old_pid
        );
        Ok(())
    }
}
