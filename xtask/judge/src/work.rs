//! What judges do for the programs to see. Names and numbers are others at each run.

use std::fs::{self, File, OpenOptions};
use std::iter;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::fs::{CWD, FileType, Mode, mknodat};
use rustix::thread::{NanosleepRelativeResult, Timespec, gettid, nanosleep};

/// Every dynamic program comes with it, and the VM has no other programs. It is small, and ends at once.
const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// The least and the most that something took: what is measured in the kernel lies between.
pub type Span = RangeInclusive<Duration>;

/// For a thread to get where it is wanted. It takes a millisecond; this is for a machine that is very busy.
const LIMIT: Duration = Duration::from_secs(5);

/// The number of openat(2) on x86-64, as /proc/.../syscall shows it.
const OPENAT: &str = "257 ";

/// A name that nobody can know beforehand, of 8 letters.
pub fn name() -> String {
    iter::repeat_with(fastrand::lowercase).take(8).collect()
}

/// Executes a program of this name, this many times, one after the other.
pub fn execute_as(name: &str, times: u64) -> Result<()> {
    let path = Path::new("/tmp").join(name);
    fs::copy(LOADER, &path).with_context(|| format!("make {}", path.display()))?;
    for _ in 0..times {
        let mut command = Command::new(&path);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command.status().with_context(|| format!("execute {}", path.display()))?;
    }
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

/// A file of this many bytes, under a name of its own; it goes when this does.
pub struct Scratch {
    pub path: PathBuf,
}

impl Scratch {
    pub fn file(size: usize) -> Result<Self> {
        let path = Path::new("/tmp").join(name());
        fs::write(&path, vec![b'x'; size]).with_context(|| format!("write {}", path.display()))?;
        Ok(Self { path })
    }

    /// A named pipe.
    fn pipe() -> Result<Self> {
        let path = Path::new("/tmp").join(name());
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)
            .with_context(|| format!("make the pipe {}", path.display()))?;
        Ok(Self { path })
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Another process opens this file, once, and reads from it.
pub fn open_elsewhere(path: &Path) -> Result<()> {
    // The loader takes it for a program, and complains.
    let mut command = Command::new(LOADER);
    command.arg(path).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().with_context(|| format!("execute {LOADER}")).map(drop)
}

/// Sleeps, and tells how long. That is the one call of the kernel's do_nanosleep.
pub fn sleep(time: Duration) -> Result<Span> {
    let request = Timespec { tv_sec: time.as_secs().try_into()?, tv_nsec: time.subsec_nanos().into() };
    let begin = Instant::now();
    match nanosleep(&request) {
        NanosleepRelativeResult::Ok => Ok(time..=begin.elapsed()),
        _ => bail!("sleep for {time:?}: something interrupted it"),
    }
}

/// The number of the thread that runs this.
pub fn thread_id() -> u32 {
    gettid().as_raw_nonzero().get().unsigned_abs()
}

/// Opens a file in a thread of its own, which takes as long as `meanwhile` and a bit: the file is a named pipe, and to
/// open one takes until somebody opens its other end.
pub fn open_slowly(meanwhile: impl FnOnce() -> Result<()>) -> Result<Span> {
    let pipe = Scratch::pipe()?;
    let path = pipe.path.clone();
    let (here, id) = mpsc::channel();
    let reader = thread::spawn(move || {
        let _ = here.send(thread_id());
        let begin = Instant::now();
        File::open(path).map(|_| begin.elapsed())
    });
    let thread = id.recv_timeout(LIMIT).context("start a thread")?;
    let waited = wait_until_it_opens(thread).and_then(|()| {
        let begin = Instant::now();
        meanwhile().map(|()| begin.elapsed())
    });
    // To open both ends at once never waits, and lets the other thread go, also after a failure.
    let both_ends = OpenOptions::new().read(true).write(true).open(&pipe.path).context("open the pipe")?;
    let took = reader.join().map_err(|_| anyhow!("the thread panicked"))?.context("open the pipe")?;
    drop(both_ends);
    Ok(waited?..=took)
}

fn wait_until_it_opens(thread: u32) -> Result<()> {
    let begin = Instant::now();
    while !fs::read_to_string(format!("/proc/self/task/{thread}/syscall"))?.starts_with(OPENAT) {
        ensure!(begin.elapsed() < LIMIT, "wait for a thread to open the pipe: it takes more than {LIMIT:?}");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}
