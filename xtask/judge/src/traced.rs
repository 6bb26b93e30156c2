//! A process that stops whenever it enters or leaves the kernel: what happens there happens between
//! two of its steps, on any machine and at each run.

use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use nix::errno::Errno;
use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::wait::{Id, WaitPidFlag, WaitStatus, waitid};
use nix::unistd::Pid;

use crate::user_program::UserProgram;
use crate::work::join_thread;

/// For a process to stop. It takes less than a millisecond; this is for a machine that is very
/// busy.
const LIMIT: Duration = Duration::from_secs(5);

/// How often it is looked at.
const PAUSE: Duration = Duration::from_micros(100);

/// The first thread of a child of this process. The thread that seized it must do all the rest.
struct Traced {
    process: Pid,
    /// What is to be sent to it when it goes on.
    signal: libc::c_long,
}

impl Traced {
    fn seize(process: Pid) -> Result<Self> {
        let traced = Self { process, signal: 0 };
        traced
            .ask(libc::PTRACE_SEIZE, 0)
            .context("trace the tool")?;
        traced.interrupt()?;
        Ok(traced)
    }

    /// Lets it go on to its next stop; false, if that does not come while this holds.
    fn step(&mut self, goes_on: impl Fn() -> bool) -> Result<bool> {
        self.ask(libc::PTRACE_SYSCALL, self.signal)
            .context("let the tool go on")?;
        while goes_on() {
            if let Some(signal) = self.stopped()? {
                // A stop at a system call is shown as a trap; any other signal is for the process.
                self.signal = match signal {
                    Signal::SIGTRAP => 0,
                    other => other as libc::c_long,
                };
                return Ok(true);
            }
            thread::sleep(PAUSE);
        }
        Ok(false)
    }

    /// Lets it run as if it had never been traced.
    fn release(self) -> Result<()> {
        self.interrupt()?;
        self.ask(libc::PTRACE_DETACH, 0)
            .context("let go of the tool")
    }

    /// Makes it stop where it is.
    fn interrupt(&self) -> Result<()> {
        self.ask(libc::PTRACE_INTERRUPT, 0)
            .context("stop the tool")?;
        let begin = Instant::now();
        while self.stopped()?.is_none() {
            if begin.elapsed() > LIMIT {
                bail!("the tool did not stop within {} s", LIMIT.as_secs());
            }
            thread::sleep(PAUSE);
        }
        Ok(())
    }

    /// The signal of its stop, if it has stopped. Its end is left to who waits for that.
    fn stopped(&self) -> Result<Option<Signal>> {
        let flags = WaitPidFlag::WSTOPPED | WaitPidFlag::WNOHANG | WaitPidFlag::__WALL;
        match waitid(Id::Pid(self.process), flags).context("wait for the tool to stop")? {
            WaitStatus::PtraceEvent(_, signal, _) => Ok(Some(signal)),
            WaitStatus::PtraceSyscall(_) => Ok(Some(Signal::SIGTRAP)),
            _ => Ok(None),
        }
    }

    fn ask(&self, request: libc::c_uint, data: libc::c_long) -> nix::Result<()> {
        let no_address = ptr::null_mut::<libc::c_void>();
        // SAFETY: none of these requests reads or writes memory of this process.
        let result = unsafe { libc::ptrace(request, self.process.as_raw(), no_address, data) };
        Errno::result(result).map(drop)
    }
}

/// A thread of this name calls this between any two system calls of the answer, while it does the
/// work. Returns how often.
pub fn call_between_steps(
    answer: &mut UserProgram,
    name: &str,
    call: impl Fn() -> Result<()> + Sync,
    work: impl FnOnce(&mut UserProgram) -> Result<()>,
) -> Result<u64> {
    let tool = answer.process()?;
    let (calls, ends) = (AtomicU64::new(0), AtomicBool::new(false));
    let call = || {
        call()?;
        calls.fetch_add(1, Ordering::SeqCst);
        anyhow::Ok(())
    };
    let trace = || {
        let mut traced = Traced::seize(tool)?;
        call()?;
        while traced.step(|| !ends.load(Ordering::SeqCst))? {
            call()?;
        }
        traced.release()
    };
    thread::scope(|scope| {
        let tracer = thread::Builder::new().name(name.to_owned());
        let tracer = tracer.spawn_scoped(scope, trace);
        let tracer = tracer.context("start a thread")?;
        while calls.load(Ordering::SeqCst) == 0 && !tracer.is_finished() {
            thread::sleep(Duration::from_millis(1));
        }
        let worked = work(answer);
        ends.store(true, Ordering::SeqCst);
        let traced = join_thread(tracer);
        worked.and(traced)
    })?;
    Ok(calls.into_inner())
}
