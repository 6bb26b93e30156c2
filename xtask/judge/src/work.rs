//! What judges do for the programs to see. Names and numbers are others at each run.

#[cfg(target_arch = "aarch64")]
use std::arch::asm;
use std::fs::{self, File, OpenOptions};
#[cfg(target_arch = "x86_64")]
use std::hint;
use std::io::Write as _;
use std::iter;
use std::ops::RangeInclusive;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, ensure};
use common::architecture::LOADER;
use nix::errno::Errno;
use nix::libc;
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::prctl;
use nix::sys::stat::Mode;
use nix::time::{ClockId, ClockNanosleepFlags, clock_nanosleep};
use nix::unistd::{Pid, gettid, mkfifo};

/// The least and the most that something took: what is measured in the kernel is between.
pub type Span = RangeInclusive<Duration>;

/// For a thread to get where it is wanted. It takes a millisecond; this is for a machine that is
/// very busy.
const LIMIT: Duration = Duration::from_secs(5);

/// A name that nobody can know beforehand, of 8 letters.
pub fn any_name() -> String {
    iter::repeat_with(fastrand::lowercase).take(8).collect()
}

/// Executes a program of this name, this many times, one after the other.
pub fn execute_as(name: &str, times: u64) -> Result<()> {
    let program = ShortProgram::new(&Path::new("/tmp").join(name))?;
    for _ in 0..times {
        program.execute(Command::new(&program.path))?;
    }
    Ok(())
}

/// A program that ends at once. Its file goes when this is dropped.
pub struct ShortProgram {
    pub path: PathBuf,
}

impl ShortProgram {
    pub fn new(path: &Path) -> Result<Self> {
        // Every dynamic program comes with it, and the VM has no other programs.
        fs::copy(LOADER, path).with_context(|| format!("make {}", path.display()))?;
        Ok(Self {
            path: path.to_owned(),
        })
    }

    /// Returns the id of the process, which has ended.
    pub fn execute_by(&self, uid: u32) -> Result<u32> {
        let mut command = Command::new(&self.path);
        command.uid(uid);
        self.execute(command)
    }

    fn execute(&self, mut command: Command) -> Result<u32> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let child = command.spawn();
        let mut child = child.with_context(|| format!("execute {}", self.path.display()))?;
        child
            .wait()
            .with_context(|| format!("wait for {}", self.path.display()))?;
        Ok(child.id())
    }
}

impl Drop for ShortProgram {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.path);
    }
}

/// Works in a thread that has the name of a program, on this CPU.
pub fn as_program<T: Send>(
    name: &str,
    cpu: usize,
    work: impl FnOnce() -> Result<T> + Send,
) -> Result<T> {
    thread::scope(|scope| {
        let on_cpu = || {
            move_to(cpu, None)?;
            work()
        };
        let thread = thread::Builder::new()
            .name(name.to_owned())
            .spawn_scoped(scope, on_cpu);
        join_thread(thread.context("start a thread")?)
    })
}

pub fn join_thread<T>(thread: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    thread
        .join()
        .map_err(|_| anyhow!("a thread of the judge panicked"))?
}

/// Lets a thread, or the one that calls, run on this CPU only.
pub fn move_to(cpu: usize, thread: Option<Pid>) -> Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu)
        .with_context(|| format!("there is no CPU {cpu}"))?;
    // A number of 0 stands for the thread that calls.
    let thread = thread.unwrap_or(Pid::from_raw(0));
    sched_setaffinity(thread, &cpus).with_context(|| format!("move a thread to CPU {cpu}"))
}

/// While a thread waits for one on another CPU. Where one CPU of the host emulates all of the VM's,
/// it turns to the next one: x86-64's hint says so, and on arm64 the standard library's does not.
pub fn let_others_run() {
    #[cfg(target_arch = "x86_64")]
    hint::spin_loop();
    #[cfg(target_arch = "aarch64")]
    // SAFETY: the instruction is a hint, which changes no register and no memory.
    unsafe {
        asm!("yield", options(nomem, nostack, preserves_flags));
    }
}

/// Lets the thread that calls run before all that are not like it, as soon as it wants to: it never
/// waits for a turn, and wakes up on time.
pub fn run_first() -> Result<()> {
    prctl::set_timerslack(1).context("ask for exact timers")?;
    let parameters = libc::sched_param { sched_priority: 1 };
    // SAFETY: the call reads the parameters, and changes the thread that calls.
    let result = unsafe { libc::sched_setscheduler(0, libc::SCHED_FIFO, &raw const parameters) };
    Errno::result(result)
        .context("let a thread run first")
        .map(drop)
}

/// Returns when this thread of the judge sleeps in a system call.
pub fn wait_for_sleep(thread: Pid) -> Result<()> {
    let path = task(thread).join("stat");
    let sleeps = || fs::read_to_string(&path).is_ok_and(|stat| stat.contains(") S "));
    wait_until(sleeps).context("wait for a thread to sleep")
}

/// Returns when the kernel has forgotten this thread of the judge: joined is not yet gone.
pub fn wait_for_end(thread: Pid) -> Result<()> {
    wait_until(|| !task(thread).exists()).context("wait for the end of a thread")
}

fn task(thread: Pid) -> PathBuf {
    Path::new("/proc/self/task").join(thread.to_string())
}

fn wait_until(holds: impl Fn() -> bool) -> Result<()> {
    let begin = Instant::now();
    while !holds() {
        ensure!(begin.elapsed() < LIMIT, "it takes more than {LIMIT:?}");
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// Does this in a thread of its own, with a name of at most 15 bytes: to the kernel, a thread has a
/// name as a program has. Returns the thread's id as well.
pub fn as_thread<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<(u32, T)> {
    let work = move || work().map(|done| (thread_id(), done));
    let thread = thread::Builder::new()
        .name(name.to_owned())
        .spawn(work)
        .context("start a thread")?;
    thread.join().map_err(|_| anyhow!("a thread panicked"))?
}

/// Of the thread that asks.
pub fn thread_id() -> u32 {
    gettid().as_raw().unsigned_abs()
}

/// Does this in a thread of its own, and says which one that was.
pub fn in_a_thread(work: impl FnOnce() -> Result<()> + Send + 'static) -> Result<u32> {
    as_thread(&any_name(), work).map(|(thread, ())| thread)
}

/// Makes files, and removes each.
pub fn remove_files(times: u64) -> Result<()> {
    for _ in 0..times {
        let path = Path::new("/tmp").join(any_name());
        fs::write(&path, "").with_context(|| format!("make {}", path.display()))?;
        fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

/// Makes directories, and removes each.
pub fn remove_directories(times: u64) -> Result<()> {
    for _ in 0..times {
        let path = Path::new("/tmp").join(any_name());
        fs::create_dir(&path).with_context(|| format!("make {}", path.display()))?;
        fs::remove_dir(&path).with_context(|| format!("remove {}", path.display()))?;
    }
    Ok(())
}

/// Writes each of these to a file, with one call each.
pub fn write_to_file(texts: &[Vec<u8>]) -> Result<()> {
    let path = Path::new("/tmp").join(any_name());
    let mut file = File::create(&path).with_context(|| format!("make {}", path.display()))?;
    for text in texts {
        file.write_all(text)
            .with_context(|| format!("write to {}", path.display()))?;
    }
    fs::remove_file(&path).with_context(|| format!("remove {}", path.display()))
}

/// A file of this many bytes, under a name of its own; it goes when this does.
pub struct Scratch {
    pub path: PathBuf,
}

impl Scratch {
    pub fn make_file(size: usize) -> Result<Self> {
        let path = Path::new("/tmp").join(any_name());
        fs::write(&path, vec![b'x'; size]).with_context(|| format!("write {}", path.display()))?;
        Ok(Self { path })
    }

    /// A named pipe.
    fn pipe() -> Result<Self> {
        let path = Path::new("/tmp").join(any_name());
        mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR)
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
    command
        .arg(path)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
        .status()
        .with_context(|| format!("execute {LOADER}"))
        .map(drop)
}

/// Sleeps, and tells how long. That is the one call of the kernel's do_nanosleep.
pub fn measure_sleep(time: Duration) -> Result<Span> {
    let begin = Instant::now();
    let clock = ClockId::CLOCK_MONOTONIC;
    clock_nanosleep(clock, ClockNanosleepFlags::empty(), &time.into())
        .with_context(|| format!("sleep for {time:?}"))?;
    Ok(time..=begin.elapsed())
}

/// Opens a file in a thread of its own, which takes as long as `meanwhile` and a bit: the file is a
/// named pipe, and to open one takes until somebody opens its other end.
pub fn open_slowly(meanwhile: impl FnOnce() -> Result<()>) -> Result<Span> {
    open_slowly_as(&any_name(), meanwhile)
}

/// The same in a thread of this name.
pub fn open_slowly_as(name: &str, meanwhile: impl FnOnce() -> Result<()>) -> Result<Span> {
    let pipe = Scratch::pipe()?;
    let path = pipe.path.clone();
    let (here, id) = mpsc::channel();
    let open = move || {
        let _ = here.send(thread_id());
        let begin = Instant::now();
        File::open(path).map(|_| begin.elapsed())
    };
    let reader = thread::Builder::new().name(name.to_owned()).spawn(open);
    let reader = reader.context("start a thread")?;
    let thread = id.recv_timeout(LIMIT).context("start a thread")?;
    let waited = wait_until_it_opens(thread).and_then(|()| {
        let begin = Instant::now();
        meanwhile().map(|()| begin.elapsed())
    });
    // To open both ends at once never waits, and lets the other thread go, also after a failure.
    let both_ends = OpenOptions::new()
        .read(true)
        .write(true)
        .open(&pipe.path)
        .context("open the pipe")?;
    let took = reader
        .join()
        .map_err(|_| anyhow!("the thread panicked"))?
        .context("open the pipe")?;
    drop(both_ends);
    Ok(waited?..=took)
}

fn wait_until_it_opens(thread: u32) -> Result<()> {
    let path = format!("/proc/self/task/{thread}/syscall");
    let openat = format!("{} ", libc::SYS_openat);
    let opens = || fs::read_to_string(&path).is_ok_and(|call| call.starts_with(&openat));
    wait_until(opens).context("wait for a thread to open the pipe")
}
