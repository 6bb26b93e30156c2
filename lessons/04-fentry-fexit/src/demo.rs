//! The workload: opens files in every way that the lesson wants to show.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read as _, Seek as _};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{self, Receiver};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

const THERE: &str = "/proc/version";
const MISSING: &str = "/proc/missing";
const FOLDER: &str = "/proc";

/// What the whole demo takes is under a second, even in an emulated VM; this is for a machine that
/// is very busy.
const LIMIT: Duration = Duration::from_secs(10);
const SHORTEST_HOLD: Duration = Duration::from_millis(20);

/// The number of openat(2) on x86-64, as /proc/.../syscall shows it.
const OPENAT: &str = "257 ";

/// Everything that would open files of its own is done before the programs are attached.
pub struct Demo {
    pipe: Pipe,
    reader: Reader,
}

/// Opening a named pipe takes a while: a reader waits until there is a writer.
struct Pipe {
    /// Its only name: the one that it was made with is gone, so nothing is left behind however the
    /// demo ends.
    path: PathBuf,
    /// Keeps it alive, and is open neither for reading nor for writing.
    _handle: OwnedFd,
}

/// A thread that opens the pipe when it is told to.
struct Reader {
    thread: JoinHandle<io::Result<File>>,
    go: mpsc::Sender<()>,
    /// What the thread is doing, as the kernel tells it.
    doing: File,
}

impl Demo {
    pub fn prepare() -> Result<Self> {
        let pipe = Pipe::make().context("make a named pipe")?;
        let reader = Reader::start(pipe.path.clone())?;
        Ok(Self { pipe, reader })
    }

    /// The calls are made one after the other, but for the pipe's: its reader is still waiting in
    /// the function while two more calls are made. With room for one call in the maps, these two
    /// find none.
    pub fn run(self) -> Result<()> {
        let begin = Instant::now();
        File::open(THERE).with_context(|| format!("open {THERE}"))?;
        fails(File::open(MISSING), ErrorKind::NotFound)?;
        fails(
            OpenOptions::new().write(true).open(FOLDER),
            ErrorKind::IsADirectory,
        )?;
        fails(File::create_new(THERE), ErrorKind::AlreadyExists)?;

        let Self { pipe, mut reader } = self;
        reader.wait_until_it_opens()?;
        let waiting = Instant::now();
        fails(File::open(MISSING), ErrorKind::NotFound)?;
        // Longer than all the calls before it together: so it is the slowest, on every machine.
        let hold = SHORTEST_HOLD.max(waiting - begin);
        thread::sleep(hold.saturating_sub(waiting.elapsed()));
        let writer = OpenOptions::new()
            .write(true)
            .open(&pipe.path)
            .context("open the pipe for writing")?;
        reader
            .thread
            .join()
            .map_err(|_| anyhow!("the reader panicked"))?
            .context("open the pipe")?;
        drop(writer);
        Ok(())
    }
}

impl Pipe {
    fn make() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let name = folder.path().join("pipe");
        mknodat(CWD, &name, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
        let handle = rustix::fs::open(&name, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        folder.close()?;
        Ok(Self {
            path: format!("/proc/self/fd/{}", handle.as_raw_fd()).into(),
            _handle: handle,
        })
    }
}

impl Reader {
    fn start(pipe: PathBuf) -> Result<Self> {
        let (go, wait) = mpsc::channel();
        let (here, id) = mpsc::channel();
        let work = move || {
            let _ = here.send(rustix::thread::gettid());
            open_when_told(&pipe, &wait)
        };
        let thread = thread::Builder::new()
            .name("reader".to_owned())
            .spawn(work)
            .context("start a thread")?;
        let id = id.recv().context("start the reader")?;
        let doing = PathBuf::from(format!("/proc/self/task/{id}/syscall"));
        let doing = File::open(&doing).with_context(|| format!("open {}", doing.display()))?;
        Ok(Self { thread, go, doing })
    }

    fn wait_until_it_opens(&mut self) -> Result<()> {
        let begin = Instant::now();
        self.go.send(()).context("tell the reader to go")?;
        let mut doing = String::new();
        while !doing.starts_with(OPENAT) {
            ensure!(
                begin.elapsed() < LIMIT,
                "wait for the reader to open the pipe: it takes more than {LIMIT:?}"
            );
            thread::sleep(Duration::from_millis(1));
            doing.clear();
            self.doing.rewind().context("read what the reader does")?;
            self.doing
                .read_to_string(&mut doing)
                .context("read what the reader does")?;
        }
        Ok(())
    }
}

fn open_when_told(pipe: &Path, wait: &Receiver<()>) -> io::Result<File> {
    // Without a word there is no demo any more, and nobody would open the other end.
    wait.recv().map_err(io::Error::other)?;
    File::open(pipe)
}

fn fails(result: io::Result<File>, expected: ErrorKind) -> Result<()> {
    match result {
        Err(error) if error.kind() == expected => Ok(()),
        Err(error) => Err(error).context("make a call that fails"),
        Ok(_) => bail!("make a call that fails: it should have been {expected}"),
    }
}

/// The name of the thread that makes a storm, by which the kernel side tells its calls from all
/// others.
pub const STORM: &str = "storm";

/// Opens a missing file as often and as fast as it goes.
pub fn storm(calls: u64) -> Result<JoinHandle<()>> {
    let work = move || {
        for _ in 0..calls {
            let _ = File::open(MISSING);
        }
    };
    thread::Builder::new()
        .name(STORM.to_owned())
        .spawn(work)
        .context("start a thread")
}
