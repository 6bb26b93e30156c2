//! A log of level 2, which has each instruction of each path: up to a gigabyte. It is read while
//! the kernel writes it, and what was read is given back: the guest has not that much memory.

use std::fs::File;
use std::ops::ControlFlow;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::FileExt as _;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use std::{io, ptr, thread};

use anyhow::{Context as _, Result};
use bpf_verifier_log::{CostReader, ProgramCost};
use nix::errno::Errno;
use nix::libc;
use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::signal::{SigSet, Signal};

use plan::load::LOG_SLOWNESS;

use crate::measured_cost::MeasuredCost;
use crate::program_kind::LogTarget;
use crate::session::Session;

/// The largest that kernels take; no memory is used before it is written to.
const SIZE: u32 = u32::MAX >> 2;
/// Each instruction, and statistics.
const LEVEL: u32 = 2 | 4;
/// Since 6.4: the log does not begin again at its start when it is full.
const FIXED: u32 = 8;
/// The kernel goes back by a character to put a state after an instruction: what is that near to
/// the end is not read yet.
const LAG: usize = 64 << 10;
const PIECE: usize = 1 << 20;
const PAUSE: Duration = Duration::from_millis(5);

/// Loads with a log of level 2.
pub fn measure_load<T: Send>(
    session: &mut Session,
    load: impl FnMut(LogTarget) -> io::Result<T>,
) -> Result<MeasuredCost> {
    let (cost, late) = session.time_generously(LOG_SLOWNESS, || read_load(load))?;
    let cost = cost?;
    Ok(MeasuredCost { cost, late })
}

fn read_load<T: Send>(
    mut load: impl FnMut(LogTarget) -> io::Result<T>,
) -> Result<Option<ProgramCost>> {
    // Kernels before 6.4 do not know the flag.
    for level in [LEVEL | FIXED, LEVEL] {
        let stream = LogStream::create()?;
        let ended = AtomicBool::new(false);
        let (loaded, programs) = thread::scope(|scope| {
            let reader = scope.spawn(|| stream.read_costs(&ended));
            let loaded = load(stream.target(level));
            ended.store(true, Ordering::Release);
            (loaded, reader.join())
        });
        let mut programs = programs
            .map_err(|_| anyhow::anyhow!("the reader of the log ended"))?
            .context("cannot read the verifier's log")?;
        let is_unknown = loaded
            .as_ref()
            .is_err_and(|error| error.raw_os_error() == Some(Errno::EINVAL as i32));
        if !(programs.is_empty() && is_unknown) {
            return Ok(programs.pop());
        }
    }
    Ok(None)
}

struct LogStream {
    file: File,
    start: *mut libc::c_char,
}

// SAFETY: the memory is written to by the kernel alone, and read through the file.
unsafe impl Sync for LogStream {}

impl LogStream {
    fn create() -> Result<Self> {
        let file: File = memfd_create(c"verifier-log", MFdFlags::MFD_CLOEXEC)
            .context("cannot make a file in memory")?
            .into();
        file.set_len(u64::from(SIZE))
            .context("cannot make room for a log")?;
        // SAFETY: a new mapping of a file that is as long.
        let start = unsafe {
            libc::mmap(
                ptr::null_mut(),
                SIZE as usize,
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED | libc::MAP_NORESERVE,
                file.as_raw_fd(),
                0,
            )
        };
        if start == libc::MAP_FAILED {
            return Err(io::Error::last_os_error()).context("cannot map a log");
        }
        Ok(Self {
            file,
            start: start.cast(),
        })
    }

    fn target(&self, level: u32) -> LogTarget {
        LogTarget {
            start: self.start,
            size: SIZE,
            level,
        }
    }

    /// Until the load has ended and all is read.
    fn read_costs(&self, ended: &AtomicBool) -> io::Result<Vec<ProgramCost>> {
        // The limit of time is a signal, which the load must get.
        let mut alarm = SigSet::empty();
        alarm.add(Signal::SIGALRM);
        alarm.thread_block()?;
        let mut reading = Reading {
            stream: self,
            costs: CostReader::new(),
            at: 0,
            piece: vec![0; PIECE],
        };
        loop {
            // Whatever was written before this is read after it.
            let is_over = ended.load(Ordering::Acquire);
            match reading.read_piece(is_over)? {
                ControlFlow::Continue(()) => {}
                ControlFlow::Break(()) if is_over => return Ok(reading.costs.finish()),
                ControlFlow::Break(()) => thread::sleep(PAUSE),
            }
        }
    }
}

impl Drop for LogStream {
    fn drop(&mut self) {
        // SAFETY: the mapping is this one's own, and the load that wrote to it is over.
        unsafe {
            libc::munmap(self.start.cast(), SIZE as usize);
        }
    }
}

struct Reading<'a> {
    stream: &'a LogStream,
    costs: CostReader,
    /// Bytes that were read.
    at: u64,
    piece: Vec<u8>,
}

impl Reading<'_> {
    /// `Break`: there is no more now.
    fn read_piece(&mut self, is_over: bool) -> io::Result<ControlFlow<()>> {
        let read = self.stream.file.read_at(&mut self.piece, self.at)?;
        let written = memchr::memchr(0, &self.piece[..read]).unwrap_or(read);
        let ready = if is_over {
            written
        } else {
            written.saturating_sub(LAG)
        };
        if ready == 0 {
            return Ok(ControlFlow::Break(()));
        }
        self.costs.push(&self.piece[..ready]);
        self.at += ready as u64;
        self.give_back();
        Ok(ControlFlow::Continue(()))
    }

    /// Frees the memory of what was read.
    fn give_back(&self) {
        const PAGE: u64 = 4096;
        let whole_pages = self.at / PAGE * PAGE;
        // A kernel that cannot do that needs more memory, and no more.
        // SAFETY: the file is open; the kernel writes behind these bytes only.
        unsafe {
            libc::fallocate(
                self.stream.file.as_raw_fd(),
                libc::FALLOC_FL_PUNCH_HOLE | libc::FALLOC_FL_KEEP_SIZE,
                0,
                whole_pages.cast_signed(),
            );
        }
    }
}
