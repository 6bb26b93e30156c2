//! Sees every eBPF program that is loaded while a step runs, keeps it until the step has ended, and
//! then asks the kernel what it cost.
//!
//! A look at the list of programs, however often, misses those that are gone before the next look.
//! So the kernel tells, by a record of perf, and a thread on each CPU listens that runs before all
//! others: it takes hold of a program on the CPU where it has just been loaded, before the loader
//! is back in user space and could close it. That holds as long as the loader stays on its CPU:
//! therefore an observed step starts on one. What gets away is counted.

use std::io::{self, PipeReader, PipeWriter};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::mpsc;
use std::thread::{self, JoinHandle};

use anyhow::{Context, Result, anyhow};
use nix::errno::Errno;
use nix::libc;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use perf_event::data::{BpfEventType, Record};
use perf_event::events::Software;
use perf_event::{Builder, Sampler};
use plan::Observed;

use crate::bpf;

/// Bytes for records on each CPU: one has about 24 and is read at once. On 5.10 this counts against
/// the memory that a step may lock, which is 64 KiB.
const BUFFER: usize = 4 << 10;

pub struct Observer {
    /// The kernel counts runs as long as this is open.
    _statistics: OwnedFd,
    listeners: Vec<JoinHandle<Result<Heard>>>,
    /// Closing it ends the listeners.
    running: PipeWriter,
}

/// What one listener heard of.
#[derive(Default)]
struct Heard {
    programs: Vec<(u32, OwnedFd)>,
    without_btf: usize,
    missed: usize,
}

impl Observer {
    pub fn start_listening() -> Result<Self> {
        let statistics = bpf::enable_statistics()
            .context("cannot switch on the kernel's run-time statistics")?;
        let (end, running) = io::pipe().context("cannot make a pipe")?;
        let cpus = thread::available_parallelism()
            .context("cannot count the CPUs")?
            .get();
        let (ready, placed) = mpsc::channel();
        let mut listeners = Vec::new();
        for cpu in 0..cpus {
            let mut records = listen(cpu).with_context(|| format!("cannot listen on CPU {cpu}"))?;
            let (end, ready) = (
                end.try_clone().context("cannot share a pipe")?,
                ready.clone(),
            );
            listeners.push(thread::spawn(move || {
                // When nobody waits for it, this listener is not wanted any more.
                let _ = ready.send(come_first_on(cpu));
                hear(&mut records, &end)
            }));
        }
        drop(ready);
        for _ in 0..cpus {
            placed.recv().context("a listener panicked")??;
        }
        Ok(Self {
            _statistics: statistics,
            listeners,
            running,
        })
    }

    /// What was loaded; all of it is let go.
    pub fn finish_listening(self) -> Result<Observed> {
        drop(self.running);
        let mut observed = Observed::default();
        let mut programs = Vec::new();
        for listener in self.listeners {
            let heard = listener
                .join()
                .map_err(|_| anyhow!("a listener panicked"))??;
            observed.without_btf += heard.without_btf;
            observed.missed += heard.missed;
            programs.extend(heard.programs);
        }
        // Ids grow.
        programs.sort_by_key(|(id, _)| *id);
        for (id, program) in programs {
            let info = bpf::read_info(&program)
                .with_context(|| format!("cannot ask about program {id}"))?;
            observed.programs.extend(info);
        }
        Ok(observed)
    }
}

/// Ties a program that is about to be started to one CPU. Without this, about one short-lived
/// program in 200 was missed in emulated VMs: its loader had been moved to the other CPU while the
/// listener woke up.
pub fn keep_on_one_cpu(program: &mut Command) {
    // SAFETY: between fork and exec only one system call is made, which is safe in a child of a
    // threaded process.
    unsafe { program.pre_exec(|| Ok(stay_on(0)?)) };
}

/// The records of what is loaded on this CPU, by any process. Since Linux 5.1.
fn listen(cpu: usize) -> io::Result<Sampler> {
    let mut builder = Builder::new(Software::DUMMY);
    // A record is worth waking up for, however short.
    builder
        .any_pid()
        .one_cpu(cpu)
        .bpf_event(true)
        .wakeup_watermark(1)
        .enabled(true);
    builder.build()?.sampled(BUFFER)
}

/// Ties this thread to a CPU, where it runs before all threads of a step.
fn come_first_on(cpu: usize) -> Result<()> {
    stay_on(cpu).with_context(|| format!("cannot stay on CPU {cpu}"))?;
    let priority = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads the structure and changes this thread only.
    match unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const priority) } {
        0 => Ok(()),
        _ => Err(io::Error::last_os_error()).context("cannot come before other threads"),
    }
}

fn stay_on(cpu: usize) -> nix::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)?;
    // 0 stands for this thread.
    sched_setaffinity(Pid::from_raw(0), &cpus)
}

/// Listens until the other end of the pipe is closed.
fn hear(records: &mut Sampler, end: &PipeReader) -> Result<Heard> {
    let mut heard = Heard::default();
    loop {
        let ended = wait(records, end)?;
        heard.read(records)?;
        if ended {
            return Ok(heard);
        }
    }
}

/// Waits for records; returns whether the other end of the pipe has been closed.
fn wait(records: &Sampler, end: &PipeReader) -> Result<bool> {
    // SAFETY: `records` keeps its descriptor open.
    let records = unsafe { BorrowedFd::borrow_raw(records.as_raw_fd()) };
    let mut waited = [
        PollFd::new(records, PollFlags::POLLIN),
        PollFd::new(end.as_fd(), PollFlags::POLLIN),
    ];
    match poll(&mut waited, PollTimeout::NONE) {
        Ok(_) | Err(Errno::EINTR) => Ok(waited[1].any().unwrap_or(true)),
        Err(error) => Err(error).context("cannot wait for records of perf"),
    }
}

impl Heard {
    fn read(&mut self, records: &mut Sampler) -> Result<()> {
        while let Some(record) = records.next_record() {
            match record
                .parse_record()
                .map_err(|error| anyhow!("cannot read a record of perf: {error}"))?
            {
                Record::BpfEvent(event) if event.ty == BpfEventType::PROG_LOAD => {
                    self.take(event.id)?
                }
                Record::Lost(lost) => self.missed += usize::try_from(lost.lost)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn take(&mut self, id: u32) -> Result<()> {
        let program = match bpf::open_program(id) {
            Ok(program) => program,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                self.missed += 1;
                return Ok(());
            }
            Err(error) => {
                return Err(error).with_context(|| format!("cannot take hold of program {id}"));
            }
        };
        match bpf::read_info(&program).with_context(|| format!("cannot ask about program {id}"))? {
            // On 5.10 programs that are kept count against the memory that a step may lock, and a
            // library may try hundreds.
            None => self.without_btf += 1,
            Some(_) => self.programs.push((id, program)),
        }
        Ok(())
    }
}
